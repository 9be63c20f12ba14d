"""Lines of a text file in any encoding, with their places for messages."""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import BinaryIO

Source = str | PathLike[str] | BinaryIO

# byte order marks; that of UTF-32 begins with that of UTF-16
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
INVALID = re.compile("[\udc00-\udcff]")


def _keep_place(error: UnicodeError) -> tuple[str, int]:
    """Decode an invalid byte to a lone surrogate, which no valid text has: its line can then be named."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return chr(0xDC00 + error.object[error.start]), error.end


codecs.register_error("cs224d_l3.invalid", _keep_place)


def read_lines(source: Source, encoding: str = "utf-8", longest: int = -1) -> Iterator[tuple[str, str]]:
    r"""(location, line) of every line of a file; the location is ``file:line``.

    Lines end at \n, \r\n or \r, and nowhere else. A byte order mark decides the encoding, whichever is given; one that
    begins a later line, as in files that were put together, is left out.

    Args:
        source: file, or binary stream.
        encoding: of a file without a mark: the name of one of Python's text encodings.
        longest: maximum length of a line in characters; longer ones are split, after a blank if possible. -1: none.

    Raises:
        OSError: the file cannot be read.
        ValueError: with file and line, bytes that are not text of the encoding; or an unknown encoding.
    """
    is_path = isinstance(source, str | PathLike)
    with Path(source).open("rb") if isinstance(source, str | PathLike) else nullcontext(source) as file:
        name = source if is_path else getattr(source, "name", "stream")
        head = _head(file)
        codec = next((codec for mark, codec in MARKS.items() if head.startswith(mark)), encoding)
        text = _decode(file, codec)
        number, rest = 1, ""
        try:
            while line := rest + text.readline(longest):
                cut = len(line)
                if 0 < longest <= cut and not line.endswith("\n"):
                    cut = max(line.rfind(" "), line.rfind("\t")) + 1 or cut
                line, rest = line[:cut], line[cut:]
                if "\0" in line or (not line.isascii() and INVALID.search(line)):
                    wrong = min(line.find(c) for c in re.findall("[\0\udc00-\udcff]", line))
                    raise ValueError(f"{name}:{number}: {_advice(encoding, codec, ord(line[wrong]) & 0xFF, head)}")
                yield f"{name}:{number}", line.rstrip("\n").removeprefix("\ufeff")
                number += line.endswith("\n")
        except UnicodeError as error:  # of codecs that know no error handlers
            reason = f"{error}; encoding (--encoding) names another, such as utf-8 or utf-16-le"
            raise ValueError(f"{name}:{number}: expected text in {codec}, but {reason}") from error
        finally:
            if not is_path:
                text.detach()  # the stream stays open


def encoding_of(source: str | PathLike[str] | BinaryIO, encoding: str) -> str:
    """The encoding that a file is read in: that of its byte order mark, or the one given."""
    with Path(source).open("rb") if isinstance(source, str | PathLike) else nullcontext(source) as file:
        head = _head(file)  # of a stream, from where it stands
        return next((codec.removesuffix("-sig") for mark, codec in MARKS.items() if head.startswith(mark)), encoding)


def split_blanks(line: str) -> list[str]:
    """Fields of a line, or words of a tokenized text: blanks and tabs part them, and no other space."""
    return [field for field in line.replace("\t", " ").split(" ") if field]


def _head(file: BinaryIO) -> bytes:
    """The first bytes of a file, which are read again."""
    if not file.seekable():
        return file.peek(4)[:4] if isinstance(file, io.BufferedReader) else b""
    head = file.read(4)
    file.seek(-len(head), io.SEEK_CUR)
    return head


def _decode(file: BinaryIO, codec: str) -> io.TextIOWrapper:
    try:
        return io.TextIOWrapper(file, encoding=codec or "?", errors="cs224d_l3.invalid")
    except (LookupError, TypeError, ValueError) as error:
        message = f"encoding must be a text encoding of Python, such as 'utf-8', 'latin-1' or 'utf-16', got {codec!r}"
        raise ValueError(message) from error


def _advice(encoding: str, codec: str, byte: int, head: bytes) -> str:
    if codec != encoding:
        marked = f"{codec.removesuffix('-sig').upper()} text, as the byte order mark says, not {encoding.upper()}"
        return f"expected {marked}, got the byte {byte:#04x}"
    likely = "utf-16-le" if head[1:2] == b"\0" else "utf-16-be" if head[:1] == b"\0" else "latin-1"
    got = f"got the byte {byte:#04x}; encoding (--encoding) names another, such as {likely}"
    return f"expected {codec.upper()} text, {got}"
