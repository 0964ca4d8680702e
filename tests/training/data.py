"""A small real dataset version: two kinds of coloured rectangles, imported as a ZIP."""

import io
import json
import random
import zipfile
from collections.abc import Sequence
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageDraw

from datasets.models import DatasetVersion
from datasets.tasks import run_import
from jobs import queue
from projects.models import Project
from tests.datasets.importing import queue_file

SIDE = 64
NAMES = ("hộp đỏ", "lon xanh")
#: What people call things: quotes, a colon, emoji, signs that mean something to YAML.
ODD_NAMES = ('hộp "đỏ": 🥤', "lon 'xanh' #1 {x}")
_COLOURS = ((200, 30, 30), (30, 60, 200))


def rectangles_zip(images: int = 20, *, seed: int = 1, names: Sequence[str] = NAMES) -> bytes:
    """Return a ZIP in the YOLO layout."""
    rng = random.Random(seed)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        quoted = (json.dumps(name, ensure_ascii=False) for name in names)
        lines = "\n".join(f"  {i}: {name}" for i, name in enumerate(quoted))
        archive.writestr("data.yaml", f"names:\n{lines}\n")
        for number in range(images):
            picture, labels = _picture(rng)
            archive.writestr(f"images/{number:03}.jpg", picture)
            archive.writestr(f"labels/{number:03}.txt", labels)
    return content.getvalue()


def _picture(rng: random.Random) -> tuple[bytes, str]:
    image = Image.new("RGB", (SIDE, SIDE), (rng.randrange(120, 256),) * 3)
    draw, labels = ImageDraw.Draw(image), []
    for index, colour in enumerate(_COLOURS):
        width, height = rng.randrange(14, 26), rng.randrange(14, 26)
        left = rng.randrange(index * 32, index * 32 + 32 - width + 1)
        top = rng.randrange(SIDE - height)
        draw.rectangle((left, top, left + width, top + height), fill=colour)
        box = ((left + width / 2), (top + height / 2), width, height)
        labels.append(f"{index} " + " ".join(f"{value / SIDE:.6f}" for value in box))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue(), "\n".join(labels)


def imported_version(
    project: Project, user: Any, monkeypatch: Any, *, names: Sequence[str] = NAMES
) -> DatasetVersion:
    """Import the rectangles as a worker would, and return the version."""
    monkeypatch.setattr(queue, "submit", lambda job, **_: None)
    file = SimpleUploadedFile("rectangles.zip", rectangles_zip(names=names))
    job = queue_file(project, user, file, dataset_name="rectangles", split_ratio=0.25)
    run_import(str(job.pk))
    job.refresh_from_db()
    assert job.status == "succeeded", job.error
    monkeypatch.undo()
    return DatasetVersion.objects.get(pk=job.version_id)
