"""The house stands as ARCHITECTURE.md says."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = (
    *("accounts", "cvtrainer_site", "datasets", "detection"),
    *("jobs", "projects", "storage", "training"),
)
MAX_LINES = 330
MAX_FUNCTION = 45

LOAD_THE_WEB = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "cvtrainer_site.settings"
import cvtrainer_site.asgi
from django.contrib import admin
from django.urls import get_resolver

def load(patterns):
    for pattern in patterns:
        load(getattr(pattern, "url_patterns", ()))

admin.autodiscover()
load(get_resolver().url_patterns)
print(*sorted(sys.modules))
"""
#: What trains and detects, what it brings along, and what only tests need.
TOO_HEAVY = {"torch", "torchvision", "ultralytics", "cv2", "numpy", "scipy", "pandas", "matplotlib"}


def sources() -> Iterator[Path]:
    """Yield the files of the apps, without migrations."""
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_go_in_one_direction() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout


def test_the_web_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_THE_WEB], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded >= {"django", "accounts", "training", "detection"}
    assert loaded & TOO_HEAVY == set()


def test_nobody_imports_tasks() -> None:
    """They are named by strings: the web must not load what works; a worker may."""
    found = [
        named(path)
        for path in sources()
        if path.stem != "worker"
        for module in imported(path)
        if re.fullmatch(r"\w+\.tasks", module)
    ]

    assert found == []


@pytest.mark.parametrize("engine", ["storage", "datasets/sources", "datasets/formats"])
def test_engines_know_no_database(engine: str) -> None:
    found = {
        (named(path), module)
        for path in (ROOT / engine).rglob("*.py")
        for module in imported(path)
        if module.startswith("django.db")
    }

    assert found == set()


def imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_files_stay_readable() -> None:
    long = {
        named(path): count
        for path in sources()
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }

    assert long == {}
    assert len((ROOT / "cvtrainer_site/settings.py").read_text().splitlines()) <= 250


def test_functions_stay_readable() -> None:
    long = {
        f"{named(path)}:{node.name}": length
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION
    }

    assert long == {}


def test_names_say_what_is_in_them() -> None:
    vague = {"core", "common", "utils", "util", "helpers", "helper", "misc"}

    assert {named(path) for path in sources() if path.stem in vague} == set()


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"\bmark_safe\(|\|\s*safe\b|autoescape off", "what users write would run as a script"),
        (r"@csrf_exempt|csrf_exempt\(", "other sites could write with a session"),
        (r"import pickle|pickle\.loads?\(|allow_pickle=True", "who writes the bytes runs code"),
        (r"\byaml\.(load|unsafe\w*)\(", "a tag in the file runs code"),
        (r"\.(extra|raw)\(|RawSQL\(", "SQL is written by Django"),
        (r"request\.(GET|POST|query_params|data)\)?\)?\s*\*\*|\*\*request\.", "filters are named"),
        (r"shell=True|os\.system\(", "a name in the command would be a command"),
    ],
)
def test_what_is_dangerous_is_not_used(pattern: str, why: str) -> None:
    files = [*sources(), *(ROOT / "templates").rglob("*.html")]
    found = [
        f"{named(path)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line) and not line.lstrip().startswith(("#", '"""', "//"))
    ]

    assert found == [], why


def test_jobs_are_delivered_as_json() -> None:
    from django.conf import settings

    serializers = {queue["SERIALIZER"] for queue in settings.RQ_QUEUES.values()}
    assert serializers == {"rq.serializers.JSONSerializer"}
    for path in sources():
        text = path.read_text(encoding="utf-8")
        for call in re.findall(r"(?:get_queue|[^.\w]Queue)\(([^()]*)\)", text):
            assert "JSONSerializer" in call, named(path)
