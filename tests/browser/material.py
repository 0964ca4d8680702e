"""Pictures with boxes for the pages: as rows, and as a ZIP to import."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from PIL import Image, ImageDraw

from datasets.models import DatasetImage, DatasetVersion, Picture
from datasets.tally import Tally
from tests.factories import make_dataset, make_import, make_version

SIZE = (160, 120)
_BOX = (20, 30, 90, 100)


def drawing(number: int) -> bytes:
    """Return a JPEG with one thing on it; each number gives another picture."""
    image = Image.new("RGB", SIZE, (200, 205, 210 + number % 40))
    ImageDraw.Draw(image).rectangle(_BOX, fill=(180, 40, 30 + 5 * number))
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def make_gallery(project: Any, *, pictures: int = 6, **fields: Any) -> DatasetVersion:
    """Return a ready version with pictures; every second one has a bottle beside its can.

    Args:
        fields: of the version, in place of what is counted.
    """
    version = make_version(make_dataset(project, name="Kệ tháng 11"), train_images=0, boxes=0)
    make_import(project, version=version, status="succeeded", file_name="ke.zip")
    can, bottle = classes = list(version.classes.all())
    tally = Tally(version, classes)
    for number in range(pictures):
        boxes = [[can.index, *map(float, _BOX)]]
        if number % 2:
            boxes.append([bottle.index, 100.0, 10.0, 150.0, 110.0])
        if number == 3:
            boxes.append([bottle.index, 5.0, 5.0, 6.0, 6.0])
        image = DatasetImage.objects.create(
            version=version,
            picture=_picture(project, number),
            position=number,
            file_name=f"kệ-{number}.jpg",
            split="val" if number < 2 else "train",
            boxes=boxes,
        )
        tally.add([image])
    tally.save_classes()
    DatasetVersion.objects.filter(pk=version.pk).update(**{**tally.fields(), **fields})
    version.refresh_from_db()
    return version


def make_zip(folder: Path, *, pictures: int = 8) -> Path:
    """Return a ZIP in the YOLO layout."""
    path = folder / "Kệ bia.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.yaml", "names: [lon, chai]\n")
        for number in range(pictures):
            archive.writestr(f"images/{number}.jpg", drawing(number))
            archive.writestr(f"labels/{number}.txt", f"{number % 2} 0.34 0.54 0.44 0.58\n")
    return path


def _picture(project: Any, number: int) -> Picture:
    data = drawing(number)
    digest = hashlib.sha256(data).hexdigest()
    picture = Picture(project=project, sha256=digest, width=SIZE[0], height=SIZE[1], size=len(data))
    picture.file.save(f"{digest}.jpg", ContentFile(data), save=False)
    picture.thumbnail.save(f"{digest}-small.jpg", ContentFile(data), save=False)
    picture.save()
    return picture
