"""A script as a command: errors as one sentence, exit statuses that mean something, the device."""

import io
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable

import torch

from cs224d_l3.text.files import CannotSaveError

from .processes import leave

BAD_INPUT, NOT_FINITE, CANNOT_SAVE = 2, 3, 4  # exit statuses; 128 and a signal's number where a signal ended it


class NotFiniteError(ArithmeticError):
    """The loss, or a gradient, is no number any more."""


class Stopped(Exception):  # noqa: N818 - no error
    """By a signal; what was reached is saved."""

    def __init__(self, signal_number: int, where: str) -> None:
        super().__init__(where)
        self.status = 128 + signal_number


def run(main: Callable[[], None]) -> None:
    """Runs a script; what was wrong is printed as one sentence, without a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal has no character for ends no run
    status, sentence = 0, ""
    try:
        main()
    except BrokenPipeError:  # the reader, `head` for one, has seen enough
        discard_output()
    except CannotSaveError as error:
        status, sentence = CANNOT_SAVE, f"error: {error}"
    except NotFiniteError as error:
        status, sentence = NOT_FINITE, f"error: {error}"
    except Stopped as stopped:
        status, sentence = stopped.status, str(stopped)
    except (ValueError, OSError, IndexError) as error:
        status, sentence = BAD_INPUT, f"error: {error}"
    except KeyboardInterrupt:
        status = 128 + signal.SIGINT
    except Exception as error:
        if isinstance(error, RuntimeError | MemoryError) and re.search("allocate|out of memory", str(error)):
            status = BAD_INPUT
            sentence = "error: not enough memory for these settings: lower --batch, --hidden or --d"
        else:  # a fault of ours
            status = 1
            traceback.print_exc()
    if sentence:
        who = f"process {os.environ['RANK']}: " if int(os.environ.get("WORLD_SIZE", 1)) > 1 else ""
        print(who + sentence, file=sys.stderr)
    leave(status)


def discard_output() -> None:
    """What is printed from now on goes nowhere."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, and no path of ours
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def pick_device(name: str) -> torch.device:
    """Where to compute: auto is the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device must be auto, cpu, cuda or another that torch has here, got {name!r}") from error
    return torch.device(name)
