"""A version as Pascal VOC: one XML a picture, and lists of the pictures of each split.

The format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/devkit_doc.pdf, section 9. Its pixels are
counted from 1, so that the first edge of a box is one more than ours, and the last edge the same.

A picture of which nobody knows what is on it has no XML, and stands in a list of its own: tools
expect an XML of each one that `ImageSets/Main` names.
"""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from xml.sax.saxutils import escape

from datasets.export_names import ArchiveNames
from datasets.exporting import has_unlabelled, images_of, picture_chunks, splits_of
from datasets.formats.voc_xml import OWN_DATABASE
from datasets.materialize import class_names
from datasets.models import DatasetImage, DatasetVersion
from storage.zip_stream import ZipMember

_PIXEL_DIGITS = 2


def members(version: DatasetVersion) -> Iterator[ZipMember]:
    """Yield the list of classes, the lists of the splits, then each picture with its label."""
    classes = class_names(version)
    text = "".join(f"{name}\n" for name in classes)
    yield ZipMember("classes.txt", iter([text.encode("utf-8")]), compress=True)
    yield from _lists(version, "Main", labelled=True)
    if has_unlabelled(version):
        yield from _lists(version, "Unlabelled", labelled=False)
    names = ArchiveNames()
    for split in splits_of(version):
        for image in images_of(version, split):
            file = names.file_of(image)
            if image.is_labelled:
                label = str(PurePosixPath(file).with_suffix(".xml"))
                chunks = iter([_annotation(image, file, classes).encode("utf-8")])
                yield ZipMember(f"Annotations/{label}", chunks, compress=True)
            yield ZipMember(f"JPEGImages/{file}", picture_chunks(image))


def _lists(version: DatasetVersion, folder: str, *, labelled: bool) -> Iterator[ZipMember]:
    names = ArchiveNames()
    for split in splits_of(version):
        lines = _stems(version, split, names, labelled=labelled)
        yield ZipMember(f"ImageSets/{folder}/{split}.txt", lines, compress=True)


def _stems(
    version: DatasetVersion, split: str, names: ArchiveNames, *, labelled: bool
) -> Iterator[bytes]:
    for image in images_of(version, split):
        # Also of one that is not listed: later ones must not take its name.
        stem = names.stem_of(image)
        if image.is_labelled == labelled:
            yield f"{stem}\n".encode()


def _annotation(image: DatasetImage, file: str, classes: Sequence[str]) -> str:
    picture = image.picture
    objects = "".join(_object(classes[int(index)], corners) for index, *corners in image.boxes)
    return (
        "<annotation>\n"
        f"  <folder>JPEGImages</folder>\n  <filename>{escape(file)}</filename>\n"
        f"  <source><database>{OWN_DATABASE}</database></source>\n"
        f"  <size><width>{picture.width}</width><height>{picture.height}</height>"
        "<depth>3</depth></size>\n  <segmented>0</segmented>\n"
        f"{objects}</annotation>\n"
    )


def _object(name: str, corners: Sequence[float]) -> str:
    x1, y1, x2, y2 = corners
    return (
        f"  <object><name>{escape(name)}</name><pose>Unspecified</pose><truncated>0</truncated>"
        "<difficult>0</difficult><bndbox>"
        f"<xmin>{_number(x1 + 1)}</xmin><ymin>{_number(y1 + 1)}</ymin>"
        f"<xmax>{_number(x2)}</xmax><ymax>{_number(y2)}</ymax></bndbox></object>\n"
    )


def _number(value: float) -> str:
    return f"{round(value, _PIXEL_DIGITS):g}" if value < 1000 else f"{value:.{_PIXEL_DIGITS}f}"
