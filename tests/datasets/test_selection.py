"""Which images pass the gallery's filters: against reading all of them and looking."""

from collections.abc import Sequence
from importlib import import_module
from itertools import product
from random import Random
from typing import Any

import pytest
from django.apps import apps

from datasets.models import (
    DatasetClass,
    DatasetImage,
    DatasetVersion,
    ImageClass,
    ImageProblem,
    Picture,
)
from datasets.selection import Selection
from datasets.tally import Tally
from projects.models import Project
from tests import factories

pytestmark = pytest.mark.django_db

_IMAGES = 60


@pytest.fixture
def version(project: Project) -> DatasetVersion:
    """Sixty images with up to four boxes of three classes, in three splits."""
    version = factories.make_version(
        factories.make_dataset(project), classes=("lon", "chai", "hộp")
    )
    random, classes = Random(5), list(version.classes.all())
    tally = Tally(version, classes)
    for number in range(_IMAGES):
        picture = Picture.objects.create(
            project=project,
            sha256=f"{number:064x}",
            stored_sha256="x",
            width=100,
            height=80,
            size=1,
        )
        row = DatasetImage.objects.create(
            version=version,
            picture=picture,
            position=number,
            file_name=f"Kệ-{number:02}.jpg",
            split=random.choice(DatasetImage.Split.values),
            group=random.choice([None, None, 1]),
            boxes=[[random.randrange(3), 1.0, 1.0, 50.0, 40.0] for _ in range(random.randrange(5))],
        )
        tally.add([row])
    tally.save_classes()
    DatasetVersion.objects.filter(pk=version.pk).update(**tally.fields())
    version.refresh_from_db()
    return version


def passing(
    version: DatasetVersion, split: str, indexes: Any, problem: str, text: str
) -> list[int]:
    """Return the positions that pass, by looking at every image."""
    return [
        image.position
        for image in DatasetImage.objects.filter(version=version).order_by("position")
        if split in ("", image.split)
        and (indexes is None or any(row[0] in indexes for row in image.boxes))
        and (not problem or image.problems.filter(code=problem).exists())
        and text.lower() in image.file_name.lower()
    ]


def selected(version: DatasetVersion, indexes: Sequence[int] | None, **fields: Any) -> Selection:
    classes = None
    if indexes is not None:
        classes = list(DatasetClass.objects.filter(version=version, index__in=indexes))
    return Selection(version, classes=classes, **fields)


_CASES = list(
    product(
        ["", "train", "val"],
        [None, (0,), (1, 2), ()],
        ["", "look_alike", "no_box", "health_huge"],
        ["", "-1", "kệ-2", "nowhere"],
    )
)


def test_every_combination_is_what_looking_at_all_gives(version: DatasetVersion) -> None:
    found = 0
    for split, indexes, problem, text in _CASES:
        chosen = selected(version, indexes, split=split, problem=problem, text=text)
        expected = passing(version, split, indexes, problem, text)
        case = (split, indexes, problem, text)
        assert list(chosen.positions()) == expected, case
        assert [image.position for image in chosen.images()] == expected, case
        assert chosen.count() == len(expected), case
        found += bool(expected)
    assert found > len(_CASES) // 4


def test_images_come_with_their_pictures_in_their_order(
    version: DatasetVersion, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        images = Selection(version).images_at([7, 3, 5])
        assert [(image.position, image.picture.height) for image in images] == [
            (3, 80),
            (5, 80),
            (7, 80),
        ]


def test_what_was_there_before_learns_its_places(version: DatasetVersion) -> None:
    def known() -> list[Any]:
        return [
            list(ImageClass.objects.order_by("pk").values_list("pk", "position")),
            list(ImageProblem.objects.order_by("pk").values_list("pk", "position")),
            list(DatasetClass.objects.order_by("pk").values_list("pk", "by_split")),
        ]

    before = known()
    for model in (ImageClass, ImageProblem):
        model.objects.update(position=0)
    DatasetClass.objects.update(by_split={})
    assert known() != before
    import_module("datasets.migrations.0011_places").fill(apps, None)
    assert known() == before
