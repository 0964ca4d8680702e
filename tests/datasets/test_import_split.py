"""The split of an import: near-duplicates together, known pictures where they were, leaks told."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from PIL import Image

from accounts.models import User
from datasets import services
from datasets.known_split import known_pictures
from datasets.models import DatasetImage, DatasetVersion, Picture
from jobs.errors import UserError
from samples.shelf_scenes import draw_scene
from tests.datasets.importing import Bring, warnings_of
from tests.datasets.samples import encoded
from tests.personas import ClientFactory
from tests.storage.zips import Content

pytestmark = pytest.mark.django_db(transaction=True)

LABEL = "0 0.5 0.5 0.2 0.2\n"


def scene(seed: int) -> Image.Image:
    return draw_scene(Random(seed), (320, 240))[0]


def files_of(pictures: Mapping[str, bytes]) -> dict[str, Content]:
    """Return a ZIP's files: names like `a` or `train/images/a`, one box a picture."""
    files: dict[str, Content] = {"data.yaml": "names: [a]\n"}
    for name, data in pictures.items():
        path = name if "/" in name else f"images/{name}"
        files[f"{path}.jpg"] = data
        files[f"{path.replace('images/', 'labels/')}.txt"] = LABEL
    return files


def scenes(count: int, *, start: int = 0) -> dict[str, bytes]:
    return {f"s{n:02}": encoded(scene(n), quality=92) for n in range(start, start + count)}


def copies(seeds: range) -> dict[str, bytes]:
    """Return two copies of each scene: one is smaller, one compressed harder."""
    found = {}
    for n in seeds:
        found[f"s{n:02}-small"] = encoded(scene(n).resize((200, 150)), quality=85)
        found[f"s{n:02}-poor"] = encoded(scene(n), quality=25)
    return found


def rows(version: DatasetVersion) -> dict[str, DatasetImage]:
    return {row.file_name.removesuffix(".jpg"): row for row in version.images.all()}


def sides(version: DatasetVersion) -> dict[str, str]:
    return {name: row.split for name, row in rows(version).items()}


def test_copies_stay_with_their_picture_and_others_stand_alone(bring: Bring) -> None:
    job = bring(files_of({**scenes(12), **copies(range(4))}), split_ratio=0.3)

    found = rows(job.version)
    for n in range(4):
        three = [found[f"s{n:02}{end}"] for end in ("", "-small", "-poor")]
        assert len({row.split for row in three}) == 1
        assert len({row.group for row in three}) == 1
        assert three[0].group is not None
    assert len({row.group for row in found.values()}) == 5
    assert {found[f"s{n:02}"].group for n in range(4, 12)} == {None}
    assert Picture.objects.exclude(perceptual_hash=None).count() == 20
    assert "split_leak" not in warnings_of(job)


def test_a_resplit_keeps_groups_together_without_looking_at_hashes(bring: Bring) -> None:
    version = bring(files_of({**scenes(12), **copies(range(4))})).version
    Picture.objects.update(perceptual_hash=None)
    for seed in range(3):
        made = services.resplit_version(
            version=version, split_ratio=0.3, split_seed=seed, test_ratio=0.2
        )
        found = rows(made)
        assert (made.test_ratio, made.images_total) == (0.2, 20)
        assert made.test_images in range(2, 7)
        for n in range(4):
            three = {found[f"s{n:02}{end}"].split for end in ("", "-small", "-poor")}
            assert len(three) == 1
        assert found["s00"].group == rows(version)["s00"].group


def test_the_same_zip_gives_the_same_split_whatever_the_seed(bring: Bring) -> None:
    files = files_of(scenes(10))
    first = bring(files, split_ratio=0.3, test_ratio=0.2).version
    again = bring(files, dataset=first.dataset, split_ratio=0.5, split_seed=9).version

    assert (first.train_images, first.val_images, first.test_images) == (5, 3, 2)
    assert sides(again) == sides(first)
    assert again.fingerprint == first.fingerprint


def test_new_pictures_make_up_the_ratio_and_known_ones_stay(bring: Bring) -> None:
    first = bring(files_of(scenes(10))).version
    second = bring(files_of(scenes(20)), dataset=first.dataset).version

    assert sides(second).items() >= sides(first).items()
    assert (second.train_images, second.val_images) == (16, 4)


def test_copies_of_known_pictures_come_to_their_side_though_these_came_not(bring: Bring) -> None:
    first = bring(files_of(scenes(10)), test_ratio=0.2).version
    second = bring(
        files_of({**copies(range(10)), **scenes(4, start=20)}), dataset=first.dataset
    ).version

    known = sides(first)
    for name, side in sides(second).items():
        assert side == known.get(name[:3], side)
    assert set(known.values()) == {"train", "val", "test"}


def test_the_newest_version_counts_and_only_if_it_is_ready(bring: Bring) -> None:
    files = files_of(scenes(10))
    first = bring(files).version
    anew = services.resplit_version(version=first, split_ratio=0.5, split_seed=3)
    DatasetVersion.objects.create(dataset=first.dataset, number=9, source="zip", split_ratio=0.1)

    assert sides(bring(files, dataset=first.dataset).version) == sides(anew) != sides(first)


def test_a_picture_keeps_the_side_of_the_newest_version_that_has_it(bring: Bring) -> None:
    first = bring(files_of(scenes(6)), split_seed=2, split_ratio=0.4).version
    anew = services.resplit_version(version=first, split_ratio=0.4, split_seed=5)
    assert sides(anew) != sides(first)
    # Others come in its place for a while; their side is kept just so.
    others = bring(files_of(scenes(6, start=20)), dataset=first.dataset).version
    both = bring(
        files_of({**scenes(6), **scenes(6, start=20)}), dataset=first.dataset, split_seed=9
    ).version
    assert sides(both) == {**sides(anew), **sides(others)}
    # What only looks like one of them comes to its side too.
    bring(files_of(scenes(3, start=40)), dataset=first.dataset)
    near = bring(files_of({**copies(range(6)), **scenes(3, start=40)}), dataset=first.dataset)
    known = sides(anew)
    for name, side in sides(near.version).items():
        assert side == known.get(name[:3], side)


def test_known_sides_are_asked_for_once_however_many_versions_there_are(
    bring: Bring, django_assert_num_queries: Any
) -> None:
    first = bring(files_of(scenes(4))).version
    for seed in range(3):
        services.resplit_version(version=first, split_ratio=0.5, split_seed=seed)
    with django_assert_num_queries(1):
        assert len(known_pictures(first.dataset_id).sides) == 4


def test_a_leak_that_known_sides_keep_is_told_again(bring: Bring) -> None:
    pictures = {f"train/images/{name}": data for name, data in scenes(6).items()}
    pictures |= {f"valid/images/{name}": data for name, data in copies(range(1)).items()}
    first = bring(files_of(pictures))
    again = bring(files_of(pictures), dataset=first.version.dataset, keep_splits=False)
    assert sides(again.version) == sides(first.version)
    assert warnings_of(again) == warnings_of(first) == {"split_leak": 2}


def test_splits_of_the_zip_go_before_what_is_known_if_they_are_wanted(bring: Bring) -> None:
    first = bring(files_of(scenes(6))).version
    names = [f"{'train' if n < 3 else 'valid'}/images/s{n:02}" for n in range(6)]
    split = dict(zip(names, scenes(6).values(), strict=True))
    job = bring(files_of(split), dataset=first.dataset)
    kept, again = job.version, bring(files_of(split), dataset=first.dataset, keep_splits=False)

    assert [kept.train_images, kept.val_images] == [3, 3]
    assert sides(again.version) == sides(kept) != sides(first)
    # Whoever compares models of the two is told.
    before, now = sides(first), sides(kept)
    (row,) = [row for row in kept.warnings if row["code"] == "known_picture_moved"]
    moved = sorted(name for name in now if now[name] != before[name])
    assert row["count"] == len(moved) > 0
    expected = [f"{name}.jpg: {before[name]} → {now[name]}" for name in moved]
    assert sorted(row["examples"]) == expected
    assert "known_picture_moved" not in warnings_of(again)


def test_rows_from_before_stand_alone(bring: Bring) -> None:
    first = bring(files_of(scenes(4))).version
    Picture.objects.update(perceptual_hash=None)
    second = bring(files_of({**scenes(4), **copies(range(4))}), dataset=first.dataset).version

    found = rows(second)
    assert {found[f"s{n:02}"].group for n in range(4)} == {None}
    assert found["s00-small"].group == found["s00-poor"].group is not None
    assert sides(second).items() >= sides(first).items()


def test_leaks_in_the_splits_of_a_zip_are_told(bring: Bring) -> None:
    known, near = scenes(6), copies(range(2))
    pictures = {f"train/images/{name}": data for name, data in known.items()}
    pictures["valid/images/twin"] = known["s05"]
    pictures["valid/images/other"] = encoded(scene(30))
    pictures |= {f"valid/images/{name}": data for name, data in near.items()}

    job = bring(files_of(pictures))

    (row,) = [row for row in job.version.warnings if row["code"] == "split_leak"]
    assert row["count"] == 5
    near_names = [f"s{n:02}.jpg ~ s{n:02}-{kind}.jpg" for n in (0, 1) for kind in ("poor", "small")]
    assert sorted(row["examples"]) == [*near_names, "s05.jpg ~ twin.jpg"]
    anew = services.resplit_version(version=job.version, split_ratio=0.3)
    found = rows(anew)
    assert found["s00"].split == found["s00-small"].split == found["s00-poor"].split


def test_pictures_that_all_look_alike_are_divided_and_that_is_told(bring: Bring) -> None:
    one = scene(1)
    pictures = {f"q{q}": encoded(one, quality=q) for q in range(60, 90, 3)}
    job = bring(files_of(pictures))
    assert (job.version.train_images, job.version.val_images) == (8, 2)
    assert warnings_of(job) == {"near_duplicates_apart": 10}
    anew = services.resplit_version(version=job.version, split_ratio=0.3)
    assert [(row["code"], row["count"]) for row in anew.warnings] == [("near_duplicates_apart", 10)]


class TestTestShare:
    """The third share, by the API."""

    @pytest.mark.parametrize(
        ("ratio", "share"), [(0.2, 0.8), (0.5, 0.6), (0.2, -0.1), (0.2, "nan")]
    )
    def test_something_has_to_be_left(
        self, api: ClientFactory, bring: Bring, editor: User, ratio: float, share: Any
    ) -> None:
        version = bring(files_of(scenes(3))).version
        url = f"/api/v1/dataset-versions/{version.pk}/resplit/"
        body = {"split_ratio": ratio, "test_ratio": share}
        answer = api(editor).post(url, body, format="json")
        assert answer.status_code == 400
        assert [error["field"] for error in answer.json()["errors"]] == ["test_ratio"]
        with pytest.raises(UserError, match="split_shares"):
            services.resplit_version(version=version, split_ratio=ratio, test_ratio=float(share))

    def test_it_is_stored_with_the_version(
        self, api: ClientFactory, bring: Bring, editor: User
    ) -> None:
        version = bring(files_of(scenes(10))).version
        client = api(editor)
        assert client.get(f"/api/v1/dataset-versions/{version.pk}/").json()["test_ratio"] == 0
        url = f"/api/v1/dataset-versions/{version.pk}/resplit/"
        body = client.post(url, {"test_ratio": 0.3}, format="json").json()
        assert body["test_ratio"] == 0.3
        assert body["images"] == {"total": 10, "train": 5, "val": 2, "test": 3}
