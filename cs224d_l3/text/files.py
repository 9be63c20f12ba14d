"""Atomic writes of checkpoints and word vectors."""

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
    """A file cannot be written, for example because the disk is full; a previous version of it is intact."""

    def __init__(self, what: str, path: object, cause: OSError, suffix: str = "") -> None:
        super().__init__(f"cannot {what} {path}: {cause.strerror or cause}{suffix}")
        # breaks the reference cycle of cause, traceback and the context manager's frame, which would keep the run's
        # files open until garbage collection
        self.__cause__ = cause.with_traceback(None)


def check_output(path: Path) -> None:
    """Fail before the computation if the output file cannot be written."""
    if path.name.endswith(".last.pt"):
        raise ValueError(f"out must not end in .last.pt, the suffix of a run's state, got {path}")
    if path.exists() and not path.is_file():
        raise ValueError(
            f"out must be a regular file, got {path} (a {'folder' if path.is_dir() else 'pipe or device'})"
        )
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"out must be in a writable folder, got {path}")


def check_input(name: str, path: Path | None, advice: str = "") -> None:
    """Fail with the name of the option if its file cannot be read; None is no file."""
    if path is None or (path.exists() and not path.is_dir() and os.access(path, os.R_OK)):
        return
    found = "a folder" if path.is_dir() else "unreadable" if path.exists() else "missing"
    raise ValueError(f"{name} must be a file that can be read, got {path} ({found}){advice}")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Temporary file in the same folder to write to; on exit it is synced and renamed to ``path``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")  # left by a killed process, it is overwritten
    try:
        yield partial
        for target in (partial, path.parent):
            if target == path.parent:
                partial.replace(path)
            handle = os.open(target, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    except OSError as error:
        suffix = f"; {path} is unchanged" if path.exists() else ""
        raise CannotSaveError("save", path, error, suffix) from error
    finally:
        partial.unlink(missing_ok=True)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint atomically, with the package's version."""
    memory = io.BytesIO()  # torch's file writer aborts the process when the disk is full
    torch.save({**content, "version": __version__}, memory)
    with atomic_write(path) as partial:
        partial.write_bytes(memory.getvalue())  # bytes, not a view: on failure the traceback refers to them


def write_vectors(path: Path, words: list[str], vectors: torch.Tensor) -> None:
    """Write word vectors in GloVe's text format, without padding and unknown word; with word2vec's first line where a
    word has a blank."""
    with atomic_write(path) as partial, partial.open("w", encoding="utf-8") as file:
        if any(" " in word for word in words[2:]):
            file.write(f"{len(words) - 2} {vectors.shape[1]}\n")
        for word, vector in zip(words[2:], vectors[2:].tolist(), strict=True):
            file.write(f"{word} {' '.join(f'{component:.6g}' for component in vector)}\n")


def load_checkpoint(path: str | PathLike[str], keys: set[str]) -> dict[str, Any]:
    """Read a checkpoint of :func:`save_checkpoint`; only tensors and plain data are unpickled, no code is run."""
    with Path(path).open("rb") as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises many types for a file that is not a checkpoint
            message = f"{path}: expected a checkpoint of this script, got a file that cannot be read as one"
            raise ValueError(message) from error
    if not isinstance(content, dict) or not keys <= content.keys():
        raise ValueError(f"{path}: expected a checkpoint with {', '.join(sorted(keys))}, got another kind of file")
    version = str(content.get("version", "0"))
    if _parse_version(version) > _parse_version(__version__):
        raise ValueError(f"{path}: expected a checkpoint of version {__version__} or older, got {version}")
    return content


def _parse_version(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdigit()]
