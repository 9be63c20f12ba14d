"""The one door to every task. Nothing is needed but Python 3.10 or newer:

    python3 noxfile.py -s train      trains the lecture's network on text that comes with Python
    python3 noxfile.py -s tests      runs the tests

Run like this it makes a virtual environment in .venv, installs nox there, and hands over to it.
Where nox is at hand already, ``nox -s train`` does the same.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).absolute().parent
LOCK = "constraints.txt"  # every version, dependencies of dependencies included
LOCKED = ("--only-binary", ":all:", "-c", LOCK)


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
        subprocess.check_call([*pip, "install", "--quiet", *LOCKED, "pip", "nox"], cwd=HERE)
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
PYTEST = ("pytest", "--numprocesses", "auto", "--maxprocesses", "8")
LOWEST_TORCH = "2.4.1"  # of what pyproject.toml claims


def install(session: nox.Session, *groups: str) -> None:
    """The package with what the scripts need, and some dependency groups, at the versions of the lock."""
    needed = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*LOCKED, "-e", ".[scripts,hypothesis]", *needed, env={"PIP_BUILD_CONSTRAINT": LOCK})


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; arguments go to pytest."""
    install(session, "tests", "docs")
    session.run(*PYTEST, *session.posargs, env={"LOCKED": LOCK})


@nox.session
def matrix(session: nox.Session) -> None:
    """The test suite on every Python from 3.10 to 3.14 that this machine has; arguments go to pytest.

    With --others the one that runs nox is left out.
    """
    arguments = [argument for argument in session.posargs if argument != "--others"]
    pythons = find_pythons()
    if len(arguments) < len(session.posargs):
        pythons.pop("{}.{}".format(*sys.version_info[:2]), None)
    results = {}
    for version, python in pythons.items():
        try:
            run_suite(session, version, python, LOCK, *arguments)
            results[version] = "passed"
        except nox.command.CommandFailed:
            results[version] = "FAILED"
    session.log("; ".join(f"Python {version} {result}" for version, result in results.items()))
    if "FAILED" in results.values():
        session.error("the suite does not pass on every Python")


@nox.session
def minimum(session: nox.Session) -> None:
    """The test suite on the lowest torch that pyproject.toml claims; arguments go to pytest."""
    lock = Path(session.create_tmp(), "constraints.txt")
    others = [
        line
        for line in Path(LOCK).read_text(encoding="utf-8").splitlines()
        if not re.match(r"torch|triton|nvidia-|cuda-", line)
    ]
    lock.write_text("\n".join([*others, f"torch=={LOWEST_TORCH}"]), encoding="utf-8")
    run_suite(session, f"torch-{LOWEST_TORCH}", sys.executable, str(lock), *session.posargs)


def find_pythons() -> dict[str, str]:
    """The Pythons that pyproject.toml names, on the path or among pyenv's: {"3.12": "/usr/bin/python3.12", ...}."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin")
    found = {}
    for version in nox.project.python_versions(PYPROJECT):
        for python in (folder / f"python{version}" for folder in folders):
            ask = [
                str(python),
                "-c",
                "",
            ]  # pyenv puts a stand-in on the path for each of its versions, even if not in use
            if python.exists() and subprocess.call(ask, stderr=subprocess.DEVNULL) == 0:
                found[version] = str(python)
                break
    return found


def run_suite(session: nox.Session, name: str, python: str, lock: str, *arguments: str) -> None:
    """The suite in an environment of its own. uv makes it: what environments have in common lies on the disk once."""
    session.install(*LOCKED, "uv")
    home = Path(session.virtualenv.location).parent / f"{session.name}-{name}"
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    session.run("uv", "venv", "--quiet", "--allow-existing", "--python", python, str(home))
    own = ["--no-config", "--python", str(home), "-c", lock, "--build-constraints", lock]
    wheels = ["--only-binary", ":all:", "--no-binary", "cs224d_l3"]
    groups = ["--group", "tests", "--group", "docs"]
    session.run("uv", "pip", "install", "--quiet", *own, *wheels, "-e", ".[scripts,hypothesis]", *groups)
    locked = {"LOCKED": lock} if lock == LOCK else None
    session.run(str(binaries / "python"), "-m", *PYTEST, *arguments, env=locked, external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Writes the lock anew: everything that any session installs, on any Python, at its newest version."""
    session.install(*LOCKED, "uv")
    groups = [part for group in PYPROJECT["dependency-groups"] for part in ("--group", group)]
    options = ["--universal", "--python-version", "3.10", "--only-binary", ":all:", "--no-annotate", "--upgrade"]
    made_by = {"UV_CUSTOM_COMPILE_COMMAND": "nox -s lock"}
    session.run("uv", "pip", "compile", "pyproject.toml", "--all-extras", *groups, *options, "-o", LOCK, env=made_by)


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
    session.install(*LOCKED, *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def build(session: nox.Session) -> None:
    """Wheel and source archive in dist/, and a look at what is in them."""
    session.install(*LOCKED, *nox.project.dependency_groups(PYPROJECT, "build"))
    session.run("python", "-m", "build", env={"PIP_BUILD_CONSTRAINT": LOCK})
    session.run("twine", "check", "--strict", *map(str, (HERE / "dist").iterdir()))


if __name__ == "__main__":
    nox.main()
