"""The one door to every task. Nothing is needed but Python 3.10 or newer:

    python3 noxfile.py -s train      trains the lecture's network on text that comes with Python
    python3 noxfile.py -s tests      runs the tests

Run like this it makes a virtual environment in .venv, installs nox there, and hands over to it.
Where nox is at hand already, ``nox -s train`` does the same.
"""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def run_in_own_environment() -> int:
    """Makes .venv with nox in it, and runs this file there."""
    home = HERE / ".venv"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    has_nox = [str(python), "-c", "import nox"]
    if not python.exists() or subprocess.call(has_nox, stderr=subprocess.DEVNULL) != 0:
        print(f"making {home} with nox in it", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", str(home)], stdout=subprocess.DEVNULL) == 0:
            pip = [str(python), "-m", "pip"]
        else:  # Debian and Ubuntu split off what puts pip into an environment; a pip wheel can do it from outside
            subprocess.check_call([sys.executable, "-m", "venv", "--without-pip", "--clear", str(home)])
            pip = [str(python), str(download_pip(home)) + "/pip"]
        subprocess.check_call([*pip, "install", "--quiet", "-c", str(HERE / "constraints.txt"), "pip", "nox"])
    return subprocess.call([str(python), __file__, *sys.argv[1:]])


def download_pip(folder: Path) -> Path:
    """pip's own wheel, which runs as it is; checked against the digest that the index states."""
    import hashlib
    import json
    from urllib.parse import urljoin
    from urllib.request import urlopen

    index = "https://pypi.org/pypi/pip/json"
    with urlopen(index) as answer:
        wheel = next(file for file in json.load(answer)["urls"] if file["packagetype"] == "bdist_wheel")
    with urlopen(urljoin(index, wheel["url"])) as answer:
        content = answer.read()
    if hashlib.sha256(content).hexdigest() != wheel["digests"]["sha256"]:
        raise SystemExit(f"{wheel['url']} did not arrive as the index states it")
    path = folder / str(wheel["filename"])
    path.write_bytes(content)
    return path


if sys.version_info < (3, 10):  # noqa: UP036 - the reader may well start this file with an older one
    raise SystemExit("cs224d_l3 needs Python 3.10 or newer, and this is {}.{}".format(*sys.version_info[:2]))

try:
    import nox
except ImportError:
    if __name__ != "__main__":
        raise
    sys.exit(run_in_own_environment())

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["tests", "lint", "types"]
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """The package with what the scripts need, and some dependency groups, at the versions of constraints.txt."""
    session.install(
        "-c", "constraints.txt", "-e", ".[scripts,hypothesis]", *nox.project.dependency_groups(PYPROJECT, *groups)
    )


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; arguments go to pytest."""
    install(session, "tests", "docs")
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """The API document, into runs/docs, for reading without a network."""
    install(session, "docs")
    session.run("python", "scripts/document.py", *session.posargs)


@nox.session
def train(session: nox.Session) -> None:
    """The main job: the window network, on the Python reference or on files given as arguments."""
    install(session)
    session.run("python", "scripts/train_window.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Functions, AdaGrad, window network and language models against plain torch; arguments go to each of them."""
    install(session)
    for what in ("functions", "adagrad", "train", "language-models"):
        session.run("python", "scripts/benchmark.py", what, *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """mypy, strict, on package and scripts."""
    install(session, "tests", "docs", "types")
    session.run("mypy", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: format and rules."""
    session.install("-c", "constraints.txt", *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def minimum(session: nox.Session) -> None:
    """The test suite on the lowest torch that pyproject.toml claims."""
    session.install(
        "torch==2.4.1", "-e", ".[scripts,hypothesis]", *nox.project.dependency_groups(PYPROJECT, "tests", "docs")
    )
    session.run("pytest", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Wheel and source archive in dist/, and a look at what is in them."""
    session.install("-c", "constraints.txt", "build", "twine")
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, (HERE / "dist").iterdir()))


if __name__ == "__main__":
    nox.main()
