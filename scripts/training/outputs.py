"""The files that a run leaves, named after --out; an earlier run of the name is moved aside."""

from pathlib import Path


def files_of(out: Path) -> dict[str, Path]:
    """What a run leaves: its result, the state to go on from, its records. Beside runs/window.pt it is
    runs/window.last.pt, and so on; beside any other name, the whole name with the ending."""
    endings = {"last": ".last.pt", "records": ".jsonl", "events": ".events"}
    name = out.name.removesuffix(".pt")
    return {"out": out, **{kind: out.with_name(name + ending) for kind, ending in endings.items()}}


def set_aside(out: Path) -> Path | None:
    """Moves an earlier run of that name out of the way, runs/window.pt to runs/window.1.pt; returns where it is."""
    if not any(path.exists() for path in files_of(out).values()):
        return None
    ending = next((ending for ending in (".pt", ".txt") if out.name.endswith(ending)), "")
    stem = out.name.removesuffix(ending)
    free = next(
        name
        for i in range(1, 10**6)
        for name in [out.with_name(f"{stem}.{i}{ending}")]
        if not any(path.exists() for path in files_of(name).values())
    )
    for kind, path in files_of(out).items():
        if path.exists():
            path.rename(files_of(free)[kind])
    return free
