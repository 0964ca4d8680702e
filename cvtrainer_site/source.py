"""The source of the running portal as a ZIP: what the AGPL promises to everybody who uses it."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from storage.downloads import stream_zip
from storage.zip_stream import ZipMember

#: What is ours in the folder that it runs from; data, secrets and what set-up fetches stay out.
_FOLDERS = (
    "accounts",
    "benchmarks",
    "cvtrainer_site",
    "datasets",
    "detection",
    "docs",
    "jobs",
    "locale",
    "projects",
    "requirements",
    "samples",
    "scripts",
    "static",
    "storage",
    "templates",
    "tests",
    "training",
)
_FILES = ("*.md", "*.py", "*.toml", "*.txt", "*.json", "*.yml", "Makefile", "Dockerfile", "LICENSE")
_FETCHED = frozenset({"vendor", "__pycache__", "node_modules"})


@require_safe
def source(request: HttpRequest) -> HttpResponseBase:
    """Answer with the source; made while it is sent."""
    return stream_zip(request, _members(settings.BASE_DIR), filename="cvtrainer-source.zip")


def _members(root: Path) -> Iterator[ZipMember]:
    for path in _paths(root):
        name = f"cvtrainer/{path.relative_to(root).as_posix()}"
        yield ZipMember(name, _content(path), compress=True)


def _paths(root: Path) -> Iterator[Path]:
    for pattern in _FILES:
        yield from sorted(path for path in root.glob(pattern) if path.is_file())
    for folder in _FOLDERS:
        found = (path for path in sorted((root / folder).rglob("*")) if path.is_file())
        yield from (path for path in found if not _FETCHED & set(path.parts))


def _content(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes when its turn comes."""
    yield path.read_bytes()
