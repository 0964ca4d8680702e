"""Sets up the checkout: uv, .venv, the pages' packages, translations, static files, secrets.

Run by `make` with the system's Python (3.11 or later) and nothing else; asks nothing. Each step
leaves a stamp of what it was made from and is skipped while that is unchanged.

    python3 scripts/setup.py [--tests]
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from frontend import fetch_frontend

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements" / "dev.lock"
UV_LOCK = ROOT / "requirements" / "uv.lock"
#: What the tests need from the system, by the program that shows that it is there.
SYSTEM_PACKAGES = {"chromium": "chromium", "xgettext": "gettext"}


def main() -> None:
    """Run the steps, one at a time even where two set-ups start together."""
    if sys.version_info < (3, 11):  # noqa: UP036  make may find an older one
        raise SystemExit(f"Python 3.11 or later is needed, this is {sys.version.split()[0]}.")
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        step("uv", install_uv)
        step("Python packages", install_packages)
        step("front-end packages", lambda: fetch_frontend(uv()))
        step("translations", compile_translations)
        step("static files", collect_static)
        step("secrets", generate_secrets)
        if "--tests" in sys.argv[1:]:
            step("system packages for the tests", install_system_packages)


def step(name: str, do: Callable[[], bool]) -> None:
    """Do one step; say how long it took where it had something to do."""
    started = time.monotonic()
    try:
        done = do()
    except subprocess.CalledProcessError as error:
        command = " ".join(str(part) for part in error.cmd)
        raise SystemExit(f"set-up: {name} failed: {command}") from None
    if done:
        say(f"{name}: done in {time.monotonic() - started:.1f} s")


def say(text: str) -> None:
    """Tell the person in front of the terminal."""
    print(f"set-up: {text}", file=sys.stderr, flush=True)


def uv() -> str:
    """Return the path of uv: our own, or the system's where pip cannot fetch it."""
    own = TOOLS / "uv" / "bin" / "uv"
    return str(own) if own.is_file() else (shutil.which("uv") or str(own))


def install_uv() -> bool:
    """Fetch uv with pip into a folder of our own; nothing outside the checkout changes."""
    stamp, wanted = TOOLS / "uv.stamp", digest(UV_LOCK)
    if is_stamped(stamp, wanted) and Path(uv()).is_file():
        return False
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    options = ["--upgrade", "--target", str(TOOLS / "uv"), "--require-hashes", "-r", str(UV_LOCK)]
    say("fetching uv")
    failed = subprocess.run([*pip, *options], check=False).returncode
    if failed and not shutil.which("uv"):
        raise SystemExit("set-up: pip could not fetch uv. Install pip or uv and try again.")
    stamp.write_text(wanted)
    return True


def install_packages() -> bool:
    """Make .venv hold exactly what the lock names, each file checked against its hash."""
    stamp, wanted = VENV / "cvtrainer.stamp", digest(LOCK, also=sys.version)
    if is_stamped(stamp, wanted) and PYTHON.is_file():
        return False
    if not is_same_python():
        run(uv(), "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV))
    say("installing the Python packages (7 GB with PyTorch; minutes on a first run)")
    # A person sees the download's progress, a log is spared the list of packages.
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    run(uv(), "pip", "sync", *quiet, "--require-hashes", "--python", str(PYTHON), str(LOCK))
    stamp.write_text(wanted)
    return True


def is_same_python() -> bool:
    """Tell whether .venv was made by the Python that runs us."""
    if not PYTHON.is_file():
        return False
    show = "import sys; print(sys.version)"
    found = subprocess.run([str(PYTHON), "-c", show], capture_output=True, text=True, check=False)
    return found.stdout.strip() == sys.version.strip()


def compile_translations() -> bool:
    """Compile each .po file that is newer than its .mo file (by Babel: gettext may be absent)."""
    catalogs = sorted(ROOT.glob("locale/*/LC_MESSAGES/*.po"))
    if not any(is_newer(catalog, catalog.with_suffix(".mo")) for catalog in catalogs):
        return False
    run(str(PYTHON), str(ROOT / "scripts" / "translations.py"), "compile")
    return True


def is_newer(source: Path, made: Path) -> bool:
    """Tell whether a file has to be made again."""
    return not made.is_file() or made.stat().st_mtime < source.stat().st_mtime


def collect_static() -> bool:
    """Gather, compress and fingerprint the static files."""
    files = sorted(path for path in (ROOT / "static").rglob("*") if path.is_file())
    target = Path(os.environ.get("CVTRAINER_STATIC_ROOT") or ROOT / "staticfiles")
    stamp, wanted = TOOLS / "static.stamp", digest(LOCK, *files, also=str(target))
    if is_stamped(stamp, wanted) and (target / "staticfiles.json").is_file():
        return False
    # Nothing is signed or stored here; the real secrets are not needed.
    for_a_moment = {"SECRET_KEY": "set-up", "FIELD_KEYS": "set-up"}
    manage = [str(PYTHON), str(ROOT / "manage.py"), "collectstatic", "--noinput", "--verbosity=0"]
    # The API has one kind of documentation, and no pages of its own.
    command = [*manage, "--ignore=redoc", "--ignore=rest_framework"]
    subprocess.run(command, check=True, env={**os.environ, **for_a_moment})
    stamp.write_text(wanted)
    return True


def generate_secrets() -> bool:
    """Write SECRET_KEY and FIELD_KEYS into CVTRAINER_HOME where they are not given."""
    make = "from cvtrainer_site.env import generate_secrets; generate_secrets()"
    subprocess.run([str(PYTHON), "-c", make], check=True, cwd=ROOT)
    return False


def install_system_packages() -> bool:
    """Install what the browser and translation tests need; without it they are skipped.

    Only as root and with apt. In CI a failure is one: a skipped test must not look like a pass.
    """
    missing = [name for program, name in SYSTEM_PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return False
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        say(f"not installed: {', '.join(missing)}; the tests that need them are skipped")
        return False
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
    for command in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False)
        if done.returncode and os.environ.get("CI"):
            raise SystemExit(f"set-up: {' '.join(command)} failed")
    return True


def run(*command: str) -> None:
    """Run a program of the set-up in the checkout, with the index that pip is told to use."""
    defaults = {"UV_HTTP_TIMEOUT": "600", "UV_PYTHON_DOWNLOADS": "never", **index_of_pip()}
    subprocess.run(command, cwd=ROOT, check=True, env={**defaults, **os.environ})


def index_of_pip() -> dict[str, str]:
    """Return uv's variable for the package index that pip's configuration names, if any."""
    show = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    shown = subprocess.run(show, capture_output=True, text=True, check=False).stdout
    for line in shown.splitlines():
        name, _, value = line.partition("=")
        if name in {"global.index-url", "user.index-url", "site.index-url", ":env:.index-url"}:
            return {"UV_DEFAULT_INDEX": value.strip("'\"")}
    return {}


def digest(*files: Path, also: str = "") -> str:
    """Return a hash of files by name and content, and of a text."""
    contents = {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    return hashlib.sha256(json.dumps([contents, also]).encode()).hexdigest()


def is_stamped(stamp: Path, wanted: str) -> bool:
    """Tell whether a step was done from the very same input."""
    return stamp.is_file() and stamp.read_text() == wanted


if __name__ == "__main__":
    main()
