"""Files that are written whole or not at all: checkpoints, word vectors."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from .. import __version__


class CannotSaveError(OSError):
    """The disk is full, or gone; what was saved before is whole."""

    def __init__(self, what: str, path: object, cause: OSError, still: str = "") -> None:
        super().__init__(f"cannot {what} {path}: {cause.strerror or cause}{still}")
        # raised in a context manager, whose frame the traceback holds, and which holds the cause: a cycle, and in it
        # all that the run has open
        self.__cause__ = cause.with_traceback(None)


def prepare_output(path: Path) -> None:
    """Says before the work, not after it, that a file could not be written."""
    if path.name.endswith(".last.pt"):
        raise ValueError(f"out must not end in .last.pt, which is the name of a run's state, got {path}")
    if path.exists() and not path.is_file():
        raise ValueError(f"out must be a file, and {path} is {'a folder' if path.is_dir() else 'none'}")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"out must be in a folder that can be written to, got {path}")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A file beside it to write to; at the end it is on the disk, and takes the name in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")  # of a killed process, it is written over
    try:
        yield partial
        for written in (partial, path.parent):
            if written == path.parent:
                partial.replace(path)
            handle = os.open(written, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        still = f"; {path} is as it was before" if path.exists() else ""
        raise CannotSaveError("save", path, error, still) from error
    finally:
        partial.unlink(missing_ok=True)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    memory = io.BytesIO()  # torch's own writer ends the process where a disk is full
    torch.save({**content, "version": __version__}, memory)
    with writing(path) as partial:
        partial.write_bytes(memory.getvalue())  # bytes, not a view: where writing fails, the traceback holds them


def write_vectors(path: Path, words: list[str], vectors: torch.Tensor) -> None:
    """GloVe's text form: a word and its numbers a line; the two words that stand for others are left out."""
    with writing(path) as partial, partial.open("w", encoding="utf-8") as file:
        for word, vector in zip(words[2:], vectors[2:].tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{number:.6g}' for number in vector)}\n")


def load_checkpoint(path: str | PathLike[str], keys: set[str]) -> dict[str, Any]:
    """Reads what :func:`save_checkpoint` wrote; tensors and plain data alone, no code is run."""
    with Path(path).open("rb") as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises half a dozen kinds for a file that is not its own
            raise ValueError(f"{path}: expected a checkpoint of this script, and it cannot be read as one") from error
    if not isinstance(content, dict) or not keys <= content.keys():
        raise ValueError(
            f"{path}: expected a checkpoint with {', '.join(sorted(keys))}, and it is another kind of file"
        )
    newer = str(content.get("version", "0"))
    if _numbers(newer) > _numbers(__version__):
        raise ValueError(f"{path}: expected a checkpoint of version {__version__} or older, got {newer}")
    return content


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]
