"""Output files of a run, named after --out; those of an earlier run are renamed."""

from pathlib import Path


def output_files(out: Path) -> dict[str, Path]:
    """Best model, last state, records and TensorBoard events of a run: for runs/window.pt also runs/window.last.pt and
    so on; the suffixes are appended to a name that does not end in .pt."""
    suffixes = {"last": ".last.pt", "records": ".jsonl", "events": ".events"}
    name = out.name.removesuffix(".pt")
    return {"out": out, **{kind: out.with_name(name + suffix) for kind, suffix in suffixes.items()}}


def rename_earlier(out: Path) -> Path | None:
    """Rename the files of an earlier run, runs/window.pt to runs/window.1.pt; returns the new name of ``out``."""
    if not any(path.exists() for path in output_files(out).values()):
        return None
    suffix = next((suffix for suffix in (".pt", ".txt") if out.name.endswith(suffix)), "")
    stem = out.name.removesuffix(suffix)
    unused = next(
        name
        for i in range(1, 10**6)
        for name in [out.with_name(f"{stem}.{i}{suffix}")]
        if not any(path.exists() for path in output_files(name).values())
    )
    for kind, path in output_files(out).items():
        if path.exists():
            path.rename(output_files(unused)[kind])
    return unused
