"""What the training scripts share: the device, batches, checkpoints, and errors as one sentence."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

import cs224d_l3

BAD_INPUT = 2  # exit status, as argparse's


def run(main: Callable[[], None]) -> None:
    """Runs a script; what was wrong with its input is printed as one sentence, without a traceback."""
    try:
        main()
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, IndexError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except (RuntimeError, MemoryError) as error:
        if "allocate" not in str(error) and "out of memory" not in str(error):
            raise
        print(
            "error: not enough memory for these settings: lower the sizes of the network or the batch", file=sys.stderr
        )
        sys.exit(BAD_INPUT)
    except KeyboardInterrupt:
        sys.exit(130)


def pick_device(name: str) -> torch.device:
    """Where to compute: auto is the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device must be auto, cpu, cuda or another that torch has here, got {name!r}") from error
    return torch.device(name)


def prepare_output(path: Path) -> None:
    """Says before the work, not after it, that a file could not be written."""
    if path.exists() and not path.is_file():
        raise ValueError(f"out must be a file, and {path} is {'a folder' if path.is_dir() else 'none'}")
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ValueError(f"out must be in a folder that can be written to, got {path}")


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A file beside it to write to, renamed at the end, so that the file is whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    with writing(path) as partial:
        torch.save({**content, "version": cs224d_l3.__version__}, partial)


def load_checkpoint(path: Path, keys: set[str]) -> dict[str, Any]:
    """Reads what :func:`save_checkpoint` wrote; tensors and plain data alone, no code is run."""
    with path.open("rb") as file:
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch raises half a dozen kinds for a file that is not its own
            raise ValueError(f"{path}: expected a checkpoint of this script, and it cannot be read as one") from error
    if not isinstance(content, dict) or not keys <= content.keys():
        raise ValueError(
            f"{path}: expected a checkpoint with {', '.join(sorted(keys))}, and it is another kind of file"
        )
    return content
