"""Settings shared by all trainers; where a run is resumed, its own are the defaults."""

import sys
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar, cast, get_type_hints

import tyro

from cs224d_l3._checks import check_number, check_size
from cs224d_l3.text.files import check_input, load_checkpoint

from .outputs import output_files


@dataclass(frozen=True)
class RunSettings:
    """Settings shared by all trainers.

    Attributes:
        changeable: settings that --resume may change: duration, output and device, not the optimization.
    """

    changeable: ClassVar[frozenset[str]] = frozenset(
        "resume accept_changes out epochs patience device save_every skip_nonfinite quiet".split()
    )

    epochs: int = 30
    """Maximum number of epochs."""
    patience: int = 5
    """Epochs without a better score on dev after which training stops."""
    seed: int = 0
    """Random seed: weights, order of examples, dropout."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    threads: int | None = None
    """CPU threads per process; none: as many as pay for the size of a batch, at most one per core."""
    out: Path = Path("runs/model.pt")
    """File of the best model; the run's other files are named after it. An earlier run of that name is renamed."""
    resume: Literal["no", "yes", "auto"] = "no"
    """Resume the run in --out with its settings; settings given here must not alter the result. --resume alone is yes;
    auto begins a run where there is none."""
    accept_changes: bool = False
    """Let --resume change settings that alter the result."""
    save_every: float = 60.0
    """Seconds between checkpoints of the state, in addition to one after every epoch."""
    skip_nonfinite: bool = False
    """Skip and count updates whose gradient is not finite; otherwise the run stops there."""
    quiet: bool = False
    """Print the final result only."""

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", *([] if self.threads is None else ["threads"])):
            check_size(name, getattr(self, name))
        check_number("seed", self.seed, at_least=0, at_most=2**63 - 1)
        check_number("save_every", self.save_every, at_least=0)


S = TypeVar("S", bound=RunSettings)


@dataclass(frozen=True)
class _Resumed:
    """Options that identify the run to resume."""

    out: Path
    resume: Literal["no", "yes", "auto"] = "no"


def read_settings(kind: type[S]) -> S:
    """Settings from the command line, and of the run that is resumed; their ``resume`` is then yes, otherwise no."""
    given = _arguments()
    last = _run_to_resume(kind, given)
    settings = tyro.cli(kind, args=given) if last is None else _resumed(kind, given, last)
    for name in ("train", "dev", "test", "vectors"):
        check_input(name, getattr(settings, name, None))
    return replace(settings, resume="no" if last is None else "yes")


def _arguments() -> list[str]:
    """The command line, in which --resume alone is --resume yes."""
    given = sys.argv[1:]
    return [
        part
        for argument, after in zip(given, [*given, "--"][1:], strict=True)
        for part in ([argument, "yes"] if argument == "--resume" and after.startswith("-") else [argument])
    ]


def _run_to_resume(kind: type[RunSettings], given: list[str]) -> Path | None:
    """State of the run to resume; None: a new run."""
    if not any(argument.split("=")[0] == "--resume" for argument in given):
        return None
    out = next(field.default for field in fields(kind) if field.name == "out")
    run, _ = tyro.cli(_Resumed, args=given, default=_Resumed(cast(Path, out)), return_unknown_args=True)
    last = output_files(run.out)["last"]
    if run.resume == "yes" and not last.exists():
        raise ValueError(f"resume needs an existing run in out, got {run.out} without {last}; auto begins one")
    return last if run.resume != "no" and last.exists() else None


def _resumed(kind: type[S], given: list[str], last: Path) -> S:
    """Settings with those of the run as defaults; others that alter the result are refused."""
    saved, hints = load_checkpoint(last, {"settings"})["settings"], get_type_hints(kind)
    try:
        known = {field.name for field in fields(kind)} & saved.keys()
        before = kind(**{name: _restore_type(saved[name], hints[name]) for name in known})
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{last}: expected the settings of a run of this script, but {error}") from error
    settings = tyro.cli(kind, args=given, default=before)
    fixed = {field.name for field in fields(kind)} - kind.changeable
    changed = {
        name: (getattr(before, name) if name in known else "none", getattr(settings, name))
        for name in fixed
        if name not in known or getattr(before, name) != getattr(settings, name)
    }
    if changed and not settings.accept_changes:
        listed = ", ".join(f"{name} from {old} to {new}" for name, (old, new) in sorted(changed.items()))
        raise ValueError(f"resume must not change {listed}; --accept-changes allows it")
    return settings


def _restore_type(value: Any, hint: Any) -> Any:
    """A setting from its plain form, a string or a list."""
    if isinstance(value, str) and (hint is Path or Path in getattr(hint, "__args__", ())):
        return Path(value)
    return tuple(value) if isinstance(value, list) else value


def to_plain(settings: RunSettings) -> dict[str, Any]:
    """Settings as plain types, for checkpoints and JSON."""
    values = {name: value for name, value in asdict(settings).items() if name not in ("resume", "accept_changes")}
    return {n: str(v) if isinstance(v, Path) else list(v) if isinstance(v, tuple) else v for n, v in values.items()}
