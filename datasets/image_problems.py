"""What may be odd about one picture or its labels: what the gallery filters by, and repairs mend.

Import problems (problem_texts.py) are counted as they are met; these say which pictures they are
of. Some are said by the source, the others are measured on what a version holds.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from datasets.models import DatasetImage, DatasetVersion, ImageProblem

#: Measured anew for each version (tally.py), in the order in which they are shown.
MEASURED: Mapping[str, Any] = {
    "health_twins": _("Two boxes on one thing"),
    "health_tiny": _("Tiny boxes"),
    "health_huge": _("A box over the whole picture"),
    "look_alike": _("Looks like another picture"),
    "no_box": _("No box"),
}
#: Nobody says what is on a picture; one that is said to be empty has only no box.
UNLABELLED = "picture_unlabelled"
#: Said by the import, and taken along by copies.
SAID: Mapping[str, Any] = {
    UNLABELLED: _("No usable label"),
    "picture_twice": _("The same picture twice"),
    "picture_turned": _("Turned upright"),
    "picture_turn_doubtful": _("Boxes perhaps turned"),
    "picture_converted": _("Converted colours"),
    "label_file_unreadable": _("Label file unreadable"),
    "no_label_usable": _("No line usable"),
    "box_clipped": _("Boxes cut at the edge"),
    "box_outside": _("Boxes outside of the picture"),
    "box_without_area": _("Boxes without area"),
    "class_out_of_range": _("Classes that do not exist"),
    "label_not_a_number": _("Labels that are no numbers"),
    "label_field_count": _("Labels with missing fields"),
    "label_in_pixels": _("Labels in pixels"),
    "label_twice": _("Labels that are there twice"),
    "polygon_boxed": _("Boxes around polygons"),
    "confidence_ignored": _("Labels with a sixth value"),
    "too_many_boxes": _("Too many boxes"),
    "size_unknown": _("Size not known"),
    "tag_without_box": _("A tag without a box"),
}
TITLES: Mapping[str, Any] = {**MEASURED, **SAID}

#: [[x1, y1, x2, y2], …] in pixels: the boxes that a problem is of, where looking does not tell it.
Corners = list[list[float]]
#: What is odd about one image, by code.
Odd = Mapping[str, Sequence[list[float]]]

_BATCH = 1000


def plainly(codes: Collection[str]) -> Odd:
    """Return problems that are of the whole image, or whose boxes can be told by looking."""
    return dict.fromkeys(codes, ())


def note(version: DatasetVersion, codes: Mapping[UUID, Odd]) -> None:
    """Write which images of a version have which problems; other codes are ignored.

    One that is there already is of the boxes that are told last.
    """
    images, keys = DatasetImage.objects.filter(version=version), list(codes)
    places: dict[UUID, int] = {}
    for start in range(0, len(keys), _BATCH):
        some = images.filter(pk__in=keys[start : start + _BATCH])
        places |= dict(some.values_list("pk", "position"))
    ImageProblem.objects.bulk_create(
        (
            ImageProblem(
                version_id=version.pk,
                image_id=image,
                position=places[image],
                code=code,
                boxes=list(boxes),
            )
            for image, found in codes.items()
            for code, boxes in found.items()
            if code in TITLES
        ),
        batch_size=_BATCH,
        update_conflicts=True,
        unique_fields=["version", "code", "image"],
        update_fields=["boxes"],
    )


def codes_of(version: DatasetVersion, images: Iterable[UUID]) -> dict[UUID, dict[str, Corners]]:
    """Return the problems of some images of a version."""
    codes: dict[UUID, dict[str, Corners]] = {}
    rows = ImageProblem.objects.filter(version=version, image__in=list(images))
    for image, code, boxes in rows.order_by("code").values_list("image", "code", "boxes"):
        codes.setdefault(image, {})[code] = boxes
    return codes


def said(odd: Odd) -> Odd:
    """Return what a copy of an image takes along: what was said of it, not what is measured."""
    return {code: boxes for code, boxes in odd.items() if code in SAID}


def counted(version: DatasetVersion) -> dict[str, int]:
    """Return how many images have each problem, in the order in which they are shown."""
    rows = ImageProblem.objects.filter(version=version).values_list("code").order_by()
    found = dict(rows.annotate(Count("pk")))
    return {code: found[code] for code in TITLES if code in found}
