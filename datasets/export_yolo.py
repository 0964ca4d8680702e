"""A version in the YOLO layout: `data.yaml`, `images/<split>/`, `labels/<split>/`.

A picture of which nobody knows what is on it has no label file.
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from datasets.export_names import ArchiveNames
from datasets.exporting import images_of, picture_chunks, splits_of
from datasets.materialize import class_names, data_yaml, label_text
from datasets.models import DatasetVersion
from storage.zip_stream import ZipMember

#: So many that a corner comes back to the hundredth of a pixel, however large the picture.
_DIGITS = 9


def members(version: DatasetVersion) -> Iterator[ZipMember]:
    """Yield `data.yaml`, then each picture with its label, under the name that people know."""
    yaml = data_yaml(class_names(version), splits=splits_of(version))
    yield ZipMember("data.yaml", iter([yaml.encode("utf-8")]), compress=True)
    names = {split: ArchiveNames() for split in splits_of(version)}
    for image in images_of(version):
        picture = image.picture
        file = names[image.split].file_of(image)
        yield ZipMember(f"images/{image.split}/{file}", picture_chunks(image))
        if not image.is_labelled:
            continue
        text = label_text(image.boxes, picture.width, picture.height, digits=_DIGITS)
        label = str(PurePosixPath(file).with_suffix(".txt"))
        yield ZipMember(f"labels/{image.split}/{label}", iter([text.encode()]), compress=True)
