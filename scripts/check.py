"""Runs every check that needs no running portal; says which failed and shows what each said.

python scripts/check.py [NAME ...]    all checks, or those whose name contains one of the words
"""

import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
MANAGE = (sys.executable, "manage.py")


def main() -> None:
    """Run the checks one after the other; exit status 1 where one fails."""
    wanted = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="cvt-check-") as folder:
        failed = [
            name
            for name, command in checks(Path(folder)).items()
            if (not wanted or any(word in name for word in wanted))
            and not passes(name, command, environment(Path(folder)))
        ]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def checks(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return what is run, by name."""
    return {
        "lint": (str(BIN / "ruff"), "check", "--quiet", "."),
        "format": (str(BIN / "ruff"), "format", "--check", "--quiet", "."),
        "templates": (str(BIN / "djade"), "--check", "--target-version", "5.2", *templates()),
        "types": (sys.executable, "-m", "mypy", "."),
        "imports": (str(BIN / "lint-imports"), "--no-logo"),
        "migrations": (*MANAGE, "makemigrations", "--check", "--dry-run"),
        "deployment": (*MANAGE, "check", "--deploy", "--fail-level=WARNING"),
        "openapi": (
            *(*MANAGE, "spectacular", "--validate", "--fail-on-warn"),
            *("--file", str(folder / "openapi.yaml")),
        ),
        "translations": (sys.executable, "scripts/translations.py", "check"),
    }


def templates() -> list[str]:
    """Return all templates that git knows."""
    command = ["git", "ls-files", "-z", "*.html"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in names.split("\0") if name and (ROOT / name).is_file()]


def environment(folder: Path) -> dict[str, str]:
    """Return a production's environment in a throw-away home."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "CVTRAINER_HOME": str(folder / "home"),
        "CVTRAINER_PUBLIC_URL": "https://cvtrainer.example",
        "CVTRAINER_ALLOWED_HOSTS": "cvtrainer.example",
        "SECRET_KEY": "only-for-checks-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
        "FIELD_KEYS": "only-for-checks",
    }


def passes(name: str, command: tuple[str, ...], env: dict[str, str]) -> bool:
    """Run one check and print its name, its result and its output.

    Also where it passes: it may say what it left out, as the translations do without gettext.
    """
    started = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    took = f"{time.monotonic() - started:.1f} s"
    print(f"{name:<13} {'FAILED' if done.returncode else 'ok':<7} {took:>7}", flush=True)
    if said := done.stdout.decode(errors="replace").strip():
        print(textwrap.indent(said, "    "), flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()
