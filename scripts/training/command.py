"""Entry point of the scripts: one-line error messages, exit statuses, device selection."""

import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable

import torch

from cs224d_l3.text.files import CannotSaveError

from .processes import exit_process

BAD_INPUT, NOT_FINITE, CANNOT_SAVE = 2, 3, 4  # exit statuses; 128 + signal number if ended by a signal


class NotFiniteError(ArithmeticError):
    """The loss or a gradient is NaN or infinite."""


class Stopped(Exception):  # noqa: N818 - not an error
    """The run was stopped by a signal, after saving its state."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(message)
        self.status = 128 + signal_number


def run(main: Callable[[], None]) -> None:
    """Run a script; expected errors are printed as one sentence, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # characters outside the terminal's encoding
    status, message = 0, ""
    try:
        main()
    except BrokenPipeError:  # the reader, for example `head`, has closed the pipe
        discard_output()
    except CannotSaveError as error:
        status, message = CANNOT_SAVE, f"error: {error}"
    except NotFiniteError as error:
        status, message = NOT_FINITE, f"error: {error}"
    except Stopped as stopped:
        status, message = stopped.status, str(stopped)
    except (ValueError, OSError, IndexError) as error:
        status, message = BAD_INPUT, f"error: {error}"
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except Exception as error:
        if isinstance(error, RuntimeError | MemoryError) and re.search("allocate|out of memory", str(error)):
            status = BAD_INPUT
            message = "error: not enough memory for these settings: lower --batch, --hidden or --d"
        else:  # a bug
            status = 1
            traceback.print_exc()
    if message:
        rank = f"rank {os.environ['RANK']}: " if int(os.environ.get("WORLD_SIZE", 1)) > 1 else ""
        print(rank + message, file=sys.stderr)
    exit_process(status)


def discard_output() -> None:
    """Redirect standard output to the null device."""
    with open(os.devnull, "wb") as null:  # noqa: PTH123 - a device, not a path
        os.dup2(null.fileno(), sys.stdout.fileno())


def pick_device(name: str) -> torch.device:
    """Device of that name; auto: CUDA if available, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device must be auto, cpu, cuda or another device of torch, got {name!r}") from error
    return torch.device(name)
