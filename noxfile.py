"""nox sessions for all tasks of the project. Requires only Python 3.10 or newer:

    python3 noxfile.py -s train      trains the lecture's network on text that is part of CPython
    python3 noxfile.py -s lecture    opens the lecture, live, in the browser
    python3 noxfile.py -s tests      runs the tests

Run as a script without nox, it creates a virtual environment in .venv, installs nox there and runs itself in it.
With nox installed, ``nox -s train`` does the same.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

HERE = Path(__file__).absolute().parent
LOCK = "constraints.txt"  # pinned versions of all direct and transitive dependencies
LOCKED = ("--only-binary", ":all:", "-c", LOCK)


def run_in_own_environment() -> int:
    """Create .venv, install nox there, and run this file with its Python; returns the exit status."""
    home = HERE / ".venv"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    has_nox = [str(python), "-c", "import nox"]
    if not python.exists() or subprocess.call(has_nox, stderr=subprocess.DEVNULL) != 0:
        print(f"creating {home} and installing nox", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", str(home)], stdout=subprocess.DEVNULL) == 0:
            pip = [str(python), "-m", "pip"]
        else:  # Debian and Ubuntu package ensurepip separately; a pip wheel runs without being installed
            subprocess.check_call([sys.executable, "-m", "venv", "--without-pip", "--clear", str(home)])
            pip = [str(python), str(download_pip(home)) + "/pip"]
        subprocess.check_call([*pip, "install", "--quiet", *LOCKED, "pip", "nox"], cwd=HERE)
    return subprocess.call([str(python), __file__, *sys.argv[1:]])


def download_pip(folder: Path) -> Path:
    """Download pip's wheel from PyPI, and verify its SHA-256 digest; returns its path."""
    import hashlib
    import json
    from urllib.parse import urljoin

    index = "https://pypi.org/pypi/pip/json"
    with urlopen(index) as answer:
        wheel = next(file for file in json.load(answer)["urls"] if file["packagetype"] == "bdist_wheel")
    with urlopen(urljoin(index, wheel["url"])) as answer:
        content = answer.read()
    expected, digest = wheel["digests"]["sha256"], hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise SystemExit(f"{wheel['url']} must have the SHA-256 digest {expected}, got {digest}")
    path = folder / str(wheel["filename"])
    path.write_bytes(content)
    return path


if sys.version_info < (3, 10):  # noqa: UP036 - this file can be run with an older one
    raise SystemExit("Python must be 3.10 or newer for cs224d_l3, got {}.{}".format(*sys.version_info[:2]))

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
LOWEST_TORCH = "2.4.1"  # the lowest version that pyproject.toml allows
NIGHTLY = "https://download.pytorch.org/whl/nightly/cpu"


def install(session: nox.Session, *groups: str) -> None:
    """Install the package with its extras and the dependency groups, at the locked versions."""
    needed = nox.project.dependency_groups(PYPROJECT, *groups)
    session.install(*LOCKED, "-e", ".[scripts,hypothesis]", *needed, env={"PIP_BUILD_CONSTRAINT": LOCK})


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite; arguments are passed to pytest."""
    install(session, "tests", "docs", "lecture")
    session.run(*PYTEST, *session.posargs, env={"LOCKED": LOCK})


@nox.session
def quick(session: nox.Session) -> None:
    """Run the tests that take under a minute together; arguments are passed to pytest."""
    install(session, "tests", "docs", "lecture")
    environment = {"LOCKED": LOCK, "HYPOTHESIS_PROFILE": "quick"}
    operators = "--ignore=tests/test_samples.py"  # which loads torch's tests of its operators to be collected
    session.run(*PYTEST, "-m", "not slow and not long", operators, *session.posargs, env=environment)


@nox.session
def matrix(session: nox.Session) -> None:
    """Run the test suite on each installed Python from 3.10 to 3.14; arguments are passed to pytest.

    --others excludes the Python that runs nox.
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
        failed = [version for version, result in results.items() if result == "FAILED"]
        session.error(f"the test suite must pass on every Python, got failures on {', '.join(failed)}")


@nox.session
def minimum(session: nox.Session) -> None:
    """Run the test suite on the lowest torch that pyproject.toml allows; arguments are passed to pytest."""
    lock = lock_of_others(session, f"torch=={LOWEST_TORCH}")
    run_suite(session, f"torch-{LOWEST_TORCH}", sys.executable, lock, *session.posargs)


@nox.session
def nightly(session: nox.Session) -> None:
    """Run the test suite on torch's nightly CPU build; arguments are passed to pytest.

    A failure, or a build that cannot be reached, is logged and does not fail the session.
    """
    try:
        urlopen(f"{NIGHTLY}/torch/", timeout=30).close()
    except OSError as error:
        session.warn(f"{NIGHTLY} cannot be reached: {error}")
        return
    lock = lock_of_others(session)
    try:
        run_suite(
            session, "torch-nightly", sys.executable, lock, *session.posargs, torch=("--pre", "--index-url", NIGHTLY)
        )
    except nox.command.CommandFailed:
        session.warn("the suite does not pass on torch's nightly build")


@nox.session
def neighbours(session: nox.Session) -> None:
    """Run tests/neighbours, small programs of other libraries; arguments are passed to pytest."""
    python = make_environment(session, "neighbours-latest", sys.executable, LOCK, "tests", "neighbours")
    names = [re.split(r"[<>=]", line)[0] for line in ("torch", *PYPROJECT["dependency-groups"]["neighbours"])]
    table = "import sys, importlib.metadata as m; [print(f'{name:16} {m.version(name)}') for name in sys.argv[1:]]"
    session.run(python, "-c", table, *names, external=True)
    one = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    session.run(python, "-m", "pytest", *(session.posargs or ["tests/neighbours"]), env=one, external=True)


def lock_of_others(session: nox.Session, *lines: str) -> str:
    """A lock without torch and its own dependencies, with some lines added."""
    lock = Path(session.create_tmp(), "constraints.txt")
    locked = Path(LOCK).read_text(encoding="utf-8").splitlines()
    others = [line for line in locked if not re.match(r"torch|triton|nvidia-|cuda-", line)]
    lock.write_text("\n".join([*others, *lines]), encoding="utf-8")
    return str(lock)


def find_pythons() -> dict[str, str]:
    """Installed Pythons that pyproject.toml lists, on PATH or in pyenv: {"3.12": "/usr/bin/python3.12", ...}."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin")
    found = {}
    for version in nox.project.python_versions(PYPROJECT):
        for python in (folder / f"python{version}" for folder in folders):
            # run it: pyenv has a shim on PATH for each of its versions, also for inactive ones, which fail
            if python.exists() and subprocess.call([str(python), "-c", ""], stderr=subprocess.DEVNULL) == 0:
                found[version] = str(python)
                break
    return found


def run_suite(
    session: nox.Session, name: str, python: str, lock: str, *arguments: str, torch: tuple[str, ...] = ()
) -> None:
    """Run the test suite in an environment of its own; ``torch``: see :func:`make_environment`."""
    made = make_environment(session, f"{session.name}-{name}", python, lock, "tests", "docs", "lecture", torch=torch)
    locked = {"LOCKED": lock} if lock == LOCK else None
    session.run(made, "-m", *PYTEST, *arguments, env=locked, external=True)


def make_environment(
    session: nox.Session, name: str, python: str, lock: str, *groups: str, torch: tuple[str, ...] = ()
) -> str:
    """An environment with the package, its extras and the dependency groups; returns its Python.

    It is created by uv, which stores files common to environments once.

    ``torch``: options with which torch is installed first, from another index.
    """
    session.install(*LOCKED, "uv")
    home = Path(session.virtualenv.location).parent / name
    session.run("uv", "venv", "--quiet", "--allow-existing", "--python", python, str(home))
    own = ["--no-config", "--python", str(home), "-c", lock, "--build-constraints", lock]
    wheels = ["--only-binary", ":all:", "--no-binary", "cs224d_l3"]
    if torch:
        session.run("uv", "pip", "install", "--quiet", *own, *wheels, "--upgrade", "--no-deps", *torch, "torch")
    needed = [part for group in groups for part in ("--group", group)]
    session.run("uv", "pip", "install", "--quiet", *own, *wheels, "-e", ".[scripts,hypothesis]", *needed)
    return str(home / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))


@nox.session
def lock(session: nox.Session) -> None:
    """Update constraints.txt: the newest versions of all dependencies of all sessions but neighbours, on any Python."""
    session.install(*LOCKED, "uv")
    ours = [group for group in PYPROJECT["dependency-groups"] if group != "neighbours"]
    groups = [part for group in ours for part in ("--group", group)]
    options = ["--universal", "--python-version", "3.10", "--only-binary", ":all:", "--no-annotate", "--upgrade"]
    header = {"UV_CUSTOM_COMPILE_COMMAND": "nox -s lock"}  # the command named in the header of the file
    session.run("uv", "pip", "compile", "pyproject.toml", "--all-extras", *groups, *options, "-o", LOCK, env=header)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the document, guides and API, in runs/docs, readable offline."""
    install(session, "docs")
    session.run("python", "scripts/document.py", *session.posargs)


@nox.session
def lecture(session: nox.Session) -> None:
    """Open the live lecture in the browser; `-- --lang zh` in Chinese, `-- --check` runs it through without one."""
    install(session, "lecture")
    session.run("python", "scripts/lecture.py", *session.posargs)


@nox.session
def train(session: nox.Session) -> None:
    """Train the window network on the Python reference, or on files given as arguments."""
    install(session)
    session.run("python", "scripts/train_window.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Benchmark Functions, AdaGrad, window networks and language models against torch; arguments go to each."""
    install(session)
    for benchmark in ("functions", "adagrad", "train", "margin", "language-models"):
        session.run("python", "scripts/benchmark.py", benchmark, *session.posargs)


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy, strict, on package and scripts."""
    install(session, "tests", "docs", "lecture", "types")
    session.run("mypy", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check format and lint rules with ruff."""
    session.install(*LOCKED, *nox.project.dependency_groups(PYPROJECT, "lint"))
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and source distribution in dist/, and check their metadata with twine."""
    session.install(*LOCKED, *nox.project.dependency_groups(PYPROJECT, "build"))
    session.run("python", "-m", "build", env={"PIP_BUILD_CONSTRAINT": LOCK})
    session.run("twine", "check", "--strict", *map(str, (HERE / "dist").iterdir()))


if __name__ == "__main__":
    nox.main()
