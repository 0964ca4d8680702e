"""Imports a ZIP as a worker does, in the test's own process."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from accounts.models import User
from datasets import services
from datasets.models import Import
from datasets.tasks import run_import
from datasets.uploads import stored_upload
from projects.models import Project
from tests.datasets.samples import encoded
from tests.storage.zips import Content, zip_of

#: Imports files or ready bytes: the fixture `bring`.
Bring = Callable[..., Import]


def queue_zip(project: Project, user: User, content: bytes, **options: Any) -> Import:
    """Make an import that waits."""
    file = SimpleUploadedFile("hàng.zip", content)
    defaults = {"dataset_name": "" if "dataset" in options else "Kệ hàng"}
    return queue_file(project, user, file, **{**defaults, **options})


def queue_file(project: Project, user: User, file: Any, **options: Any) -> Import:
    """Store an uploaded file and make an import that waits."""
    with stored_upload(file) as upload:
        return services.create_import(project=project, user=user, upload=upload, **options)


def import_zip(project: Project, user: User, content: bytes, **options: Any) -> Import:
    """Queue an import and do its work; return it with its version, fresh."""
    job = queue_zip(project, user, content, **options)
    run_import(str(job.pk))
    return fresh(job)


def fresh(job: Import) -> Import:
    """Read an import and its version again."""
    return Import.objects.select_related("version").get(pk=job.pk)


def stored_files() -> set[str]:
    """Return all files in the storages of uploads and pictures."""
    root = Path(settings.HOME) / "storage"
    found = (p for kind in ("uploads", "images") for p in (root / kind).rglob("*.*"))
    return {str(path) for path in found if path.is_file()}


def warnings_of(job: Import) -> dict[str, int]:
    """Return how often each problem was reported."""
    return {row["code"]: row["count"] for row in job.version.warnings}


def distinct_jpeg(number: int) -> bytes:
    """Return a picture whose pixels no other number gives: a board of grey squares."""
    rng, size = random.Random(number), (64 + number % 7, 48)
    board = Image.new("L", (8, 6))
    board.putdata([rng.randrange(256) for _ in range(48)])
    return encoded(board.resize(size, Image.Resampling.NEAREST).convert("RGB"), quality=90)


def labelled_files(count: int = 10, *, prefix: str = "", classes: int = 2) -> dict[str, Content]:
    """Return pictures with one box each, classes in turn, and a `data.yaml`."""
    rng = random.Random(count)
    files: dict[str, Content] = {
        f"{prefix}data.yaml": "names: [" + ", ".join(f"lớp {i}" for i in range(classes)) + "]\n"
    }
    for number in range(count):
        x, y = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7)
        files[f"{prefix}images/ảnh {number}.jpg"] = distinct_jpeg(number)
        files[f"{prefix}labels/ảnh {number}.txt"] = f"{number % classes} {x} {y} 0.2 0.2\n"
    return files


def labelled_zip(count: int = 10, **options: Any) -> bytes:
    """Return `labelled_files` as a ZIP."""
    return zip_of(labelled_files(count, **options))
