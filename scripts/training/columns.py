"""Settings of the scripts that read column files."""

from dataclasses import dataclass
from typing import Literal

from cs224d_l3.text.columns import ColumnFile
from cs224d_l3.text.lines import Source


@dataclass(frozen=True)
class ColumnSettings:
    """How column files are read: the arguments of :class:`ColumnFile`."""

    encoding: str = "utf-8"
    """Encoding of the files, such as latin-1; a byte order mark decides where there is one."""
    word_column: int | None = None
    """Column of the words, from 1, or from the end, from -1; none: 1, or 2 where the first numbers the words."""
    tag_column: int | None = None
    """Column of the tags; none: the last, in CoNLL-U the fourth."""
    file_scheme: Literal["auto", "IOB1", "IOB2", "IOE", "IOBES", "BILOU", "BMES", "BMEWO", "plain"] = "auto"
    """Tagging scheme of the files; plain: tags that mark no entities."""

    def open_columns(self, path: Source, tagged: bool = True) -> ColumnFile:
        """A column file, read with these settings; without tags all words are O."""
        return ColumnFile(
            path,
            encoding=self.encoding,
            word_column=self.word_column,
            tag_column=self.tag_column if tagged else None,
            scheme=self.file_scheme,
            tagged=tagged,
        )
