"""What came in is checked before it is used; classes and labels are changed in a new version.

Run on SQLite here, on PostgreSQL by test_on_postgres.
"""

from typing import Any

import pytest

from accounts.models import User
from datasets import copies, reviewing, services
from datasets.class_edit import ClassChange
from datasets.comparison import compare
from datasets.editing import Edit
from datasets.models import Dataset, DatasetImage, DatasetVersion, ImageClass, ImageProblem
from datasets.repairs import Action, Repair, offers
from jobs.errors import UserError
from tests.datasets.importing import Bring, stored_files
from tests.datasets.samples import encoded
from tests.datasets.test_import_split import scene
from tests.personas import ClientFactory
from tests.storage.zips import Content

pytestmark = pytest.mark.django_db(transaction=True)

_BOX = "0.5 0.5 0.3 0.3\n"
_TINY = "0.5 0.5 0.01 0.01\n"


def files_of(labels: dict[int, str], names: str = "[lon, chai, Lon]") -> dict[str, Content]:
    """Return a ZIP with the pictures of these numbers."""
    files: dict[str, Content] = {"data.yaml": f"names: {names}\n"}
    for number, text in labels.items():
        files[f"images/p{number:02}.jpg"] = encoded(scene(number), quality=90)
        files[f"labels/p{number:02}.txt"] = text
    return files


def labels_of() -> dict[int, str]:
    """Return labels of ten pictures: cans by two names, bottles, a tiny box, one unlabelled."""
    labels = dict.fromkeys(range(10), f"0 {_BOX}")
    labels[2] = labels[3] = f"2 {_BOX}1 {_BOX}"
    labels[4] = f"0 {_BOX}1 {_TINY}"
    labels[5] = ""
    return labels


def boxes_by_name(version: DatasetVersion) -> dict[str, list[str]]:
    """Return the class names on each picture, by its file name."""
    names = list(version.classes.order_by("index").values_list("name", flat=True))
    return {
        image.file_name: [names[int(row[0])] for row in image.boxes]
        for image in version.images.order_by("position")
    }


def changed(version: DatasetVersion, **names: Any) -> tuple[ClassChange, ...]:
    """Return the classes in their order; those of new names by keyword `c<index>`, None drops."""
    return tuple(
        ClassChange(
            row.index,
            names.get(f"c{row.index}", row.name) or "",
            f"c{row.index}" in names and not names[f"c{row.index}"],
        )
        for row in version.classes.order_by("index")
    )


@pytest.fixture
def waiting(bring: Bring) -> DatasetVersion:
    """A version that waits to be confirmed."""
    version: DatasetVersion = bring(files_of(labels_of()), review=True).version
    assert version.status == "review"
    return version


class TestReview:
    def test_a_version_that_waits_cannot_be_used(
        self, api: ClientFactory, editor: User, waiting: DatasetVersion
    ) -> None:
        body = api(editor).get(f"/api/v1/dataset-versions/{waiting.pk}/").json()
        assert (body["status"], body["needs_review"]) == ("importing", True)
        run = {"project": str(waiting.dataset.project_id), "dataset_version": str(waiting.pk)}
        answer = api(editor).post("/api/v1/training-runs/", run, format="json")
        assert answer.status_code == 400
        with pytest.raises(UserError) as raised:
            services.resplit_version(version=waiting, split_ratio=0.3)
        assert raised.value.code == "version_not_ready"

    def test_is_confirmed_as_it_is(self, waiting: DatasetVersion) -> None:
        made = reviewing.edit_version(version=waiting, edit=Edit())
        assert (made.pk, made.status, made.number) == (waiting.pk, "ready", 1)
        assert DatasetVersion.objects.count() == 1
        with pytest.raises(UserError) as raised:
            reviewing.edit_version(version=made, edit=Edit())
        assert raised.value.code == "edit_without_change"

    def test_is_confirmed_with_other_classes_in_its_place(self, waiting: DatasetVersion) -> None:
        job = waiting.import_job
        edit = Edit(changed(waiting, c2="lon", c1=None))
        made = reviewing.edit_version(version=waiting, edit=edit)
        assert (made.status, made.number, made.source) == ("ready", 1, "zip")
        assert list(made.classes.values_list("name", "boxes")) == [("lon", 9)]
        job.refresh_from_db()
        assert job.version_id == made.pk
        assert DatasetVersion.objects.get() == made
        assert (DatasetImage.objects.count(), ImageClass.objects.count()) == (10, 9)
        assert made.layout["format"] == "yolo"
        assert made.layout["edits"]["classes"] == [{"from": "Lon", "to": "lon"}]
        assert made.layout["edits"]["dropped"] == ["chai"]

    def test_two_who_confirm_at_once_confirm_once(
        self, waiting: DatasetVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        edit = Edit(changed(waiting, c1="chai nhựa"))
        with reviewing.prepared_edit(waiting, edit) as copy:
            other = DatasetVersion.objects.get(pk=waiting.pk)
            assert reviewing.edit_version(version=other, edit=Edit()).status == "ready"
            with pytest.raises(UserError) as raised:
                reviewing.apply_edit(version=waiting, copy=copy)
        assert raised.value.code == "version_confirmed"
        assert [v.pk for v in DatasetVersion.objects.all()] == [waiting.pk]

    def test_is_thrown_away_with_its_dataset_and_pictures(self, waiting: DatasetVersion) -> None:
        mine = f"/images/{waiting.dataset.project_id}/"
        assert [path for path in stored_files() if mine in path]
        reviewing.discard_version(version=waiting)
        assert not Dataset.objects.exists()
        assert not DatasetImage.objects.exists()
        assert not ImageProblem.objects.exists()
        assert not [path for path in stored_files() if mine in path]

    def test_a_confirmed_one_is_not_thrown_away(self, waiting: DatasetVersion) -> None:
        made = reviewing.edit_version(version=waiting, edit=Edit())
        with pytest.raises(UserError) as raised:
            reviewing.discard_version(version=made)
        assert raised.value.code == "version_confirmed"
        assert made.images.count() == 10

    def test_by_the_api(self, api: ClientFactory, editor: User, waiting: DatasetVersion) -> None:
        url = f"/api/v1/dataset-versions/{waiting.pk}/confirm/"
        classes = [
            {"index": 2, "name": "lon"},
            {"index": 0, "name": "lon"},
            {"index": 1, "drop": True},
        ]
        edit = {"classes": classes, "repairs": [{"code": "no_box", "action": "leave_out"}]}
        key = {"Idempotency-Key": "once"}
        first, again = (api(editor).post(url, edit, format="json", headers=key) for _ in range(2))
        assert first.status_code == 200
        assert first.json() == again.json()
        body = first.json()
        assert (body["status"], body["needs_review"], body["images"]["total"]) == (
            "ready",
            False,
            9,
        )
        assert [row["name"] for row in body["classes"]] == ["lon"]

    def test_by_the_page(self, api: ClientFactory, editor: User, waiting: DatasetVersion) -> None:
        url = f"/dataset-versions/{waiting.pk}/review/"
        page = api(editor).get(url).content.decode()
        assert 'data-merge="lon"' in page  # its other spelling
        assert page.count("<svg viewBox") >= 3
        form = {"class": ["2", "0", "1"], "name": ["lon", "lon", "chai"]}
        broken = api(editor).post(url, {**form, "name": ["lon", "", "chai"]}, format="multipart")
        assert broken.status_code == 422
        answer = api(editor).post(
            url, {**form, "repair-health_tiny": "drop_boxes"}, format="multipart"
        )
        made = DatasetVersion.objects.get()
        assert answer.url == f"/dataset-versions/{made.pk}/"
        assert list(made.classes.values_list("name", "boxes")) == [("lon", 9), ("chai", 2)]


class TestEdit:
    @pytest.fixture
    def ready(self, bring: Bring) -> DatasetVersion:
        version: DatasetVersion = bring(files_of(labels_of())).version
        return version

    def test_makes_the_next_version_and_leaves_this_one(self, ready: DatasetVersion) -> None:
        before = boxes_by_name(ready)
        made = reviewing.edit_version(version=ready, edit=Edit(changed(ready, c2="lon")))
        assert (made.number, made.parent_id, made.source) == (2, ready.pk, "edit")
        assert boxes_by_name(ready) == before
        assert boxes_by_name(made) == {
            file: ["lon" if name == "Lon" else name for name in names]
            for file, names in before.items()
        }
        found = compare(ready, made)
        assert (found.relabelled.count, found.moved.count, found.same) == (2, 0, 8)

    def test_only_another_order_is_another_fingerprint(self, ready: DatasetVersion) -> None:
        edit = Edit(tuple(reversed(changed(ready))))
        made = reviewing.edit_version(version=ready, edit=edit)
        assert list(made.classes.values_list("name", flat=True)) == ["Lon", "chai", "lon"]
        assert boxes_by_name(made) == boxes_by_name(ready)
        assert made.fingerprint != ready.fingerprint

    def test_what_is_offered_can_be_done(self, ready: DatasetVersion) -> None:
        for offer in offers(ready):
            for action, _ in offer.choices:
                edit = Edit(repairs=(Repair(offer.code, action),))
                made = reviewing.edit_version(version=ready, edit=edit)
                assert made.health["problems"].get(offer.code, 0) == 0, (offer.code, action)

    def test_tiny_boxes_go_and_their_picture_stays(self, ready: DatasetVersion) -> None:
        edit = Edit(repairs=(Repair("health_tiny", Action.DROP_BOXES),))
        made = reviewing.edit_version(version=ready, edit=edit)
        assert boxes_by_name(made)["p04.jpg"] == ["lon"]
        assert made.images.count() == 10

    @pytest.mark.parametrize("how", ["at once", "after a new split", "with a class edit"])
    def test_boxes_that_were_cut_go_and_those_at_the_edge_stay(
        self, bring: Bring, how: str
    ) -> None:
        at_edge, out, inside = "0.1 0.5 0.2 0.3\n", "0.95 0.5 0.3 0.3\n", _BOX
        labels = dict.fromkeys(range(8), f"0 {inside}")
        labels |= {0: f"0 {at_edge}0 {out}1 {out}", 1: f"1 {at_edge}", 2: f"0 {inside}"}
        files = files_of(labels)
        # A second file of the third picture: what was cut in it is cut in the picture.
        files["images/twin.jpg"] = files["images/p02.jpg"]
        files["labels/twin.txt"] = f"1 {out}"
        version = bring(files).version
        if how == "after a new split":
            version = services.resplit_version(version=version, split_ratio=0.3)
        edit = Edit(
            changed(version, c1="Lon") if how == "with a class edit" else (),
            (Repair("box_clipped", Action.DROP_BOXES),),
        )
        assert version.health["problems"]["box_clipped"] == 2
        made = reviewing.edit_version(version=version, edit=edit)
        other = "Lon" if how == "with a class edit" else "chai"
        names = boxes_by_name(made)
        assert (names["p00.jpg"], names["p01.jpg"], names["p02.jpg"]) == (
            ["lon"],
            [other],
            ["lon"],
        )
        assert made.boxes == version.boxes - 3
        assert "box_clipped" not in made.health["problems"]
        assert not any(row["code"] == "box_clipped" for row in made.warnings)

    @pytest.mark.parametrize("keep", [True, False])
    def test_a_copy_that_fails_leaves_nothing(
        self, ready: DatasetVersion, monkeypatch: pytest.MonkeyPatch, keep: bool
    ) -> None:
        monkeypatch.setattr(copies, "publish", _fail)
        with pytest.raises(RuntimeError):
            reviewing.edit_version(version=ready, edit=Edit(changed(ready, c0="bia")))
        assert DatasetVersion.objects.get() == ready
        assert ImageProblem.objects.filter(version=ready).count() == ImageProblem.objects.count()

    def test_something_must_be_left_to_train_with(self, ready: DatasetVersion) -> None:
        edit = Edit(changed(ready, c0=None, c2=None), (Repair("health_tiny", Action.DROP_BOXES),))
        made = reviewing.edit_version(version=ready, edit=edit)
        assert made.boxes == 2  # the bottles beside the cans
        with pytest.raises(UserError) as raised:
            reviewing.edit_version(
                version=ready, edit=Edit(changed(ready, c0=None, c1=None, c2=None))
            )
        assert raised.value.code == "no_class_left"


class TestAdd:
    """An import that adds to what the dataset has."""

    def test_keeps_what_was_there(self, bring: Bring) -> None:
        first = bring(files_of(dict.fromkeys(range(10), f"0 {_BOX}"), "[lon]")).version
        labels = {5: f"0 {_BOX}", **dict.fromkeys(range(20, 24), f"1 {_BOX}")}
        job = bring(files_of(labels, "[chai, hộp]"), dataset=first.dataset, adds=True)
        made = job.version
        assert (made.number, made.parent_id, made.images.count()) == (2, first.pk, 14)
        assert list(made.classes.values_list("name", flat=True)) == ["lon", "chai", "hộp"]
        names = boxes_by_name(made)
        assert names["p00.jpg"] == ["lon"]
        assert names["p05.jpg"] == ["chai"]  # it came again, with another box
        assert names["p20.jpg"] == ["hộp"]
        assert {row["code"]: row["count"] for row in made.warnings}["picture_came_again"] == 1
        found = compare(first, made)
        assert (found.added.count, found.removed.count, found.moved.count) == (4, 0, 0)

    def test_keeps_the_side_of_each_known_picture(self, bring: Bring) -> None:
        first = bring(
            files_of(dict.fromkeys(range(10), f"0 {_BOX}"), "[lon]"), split_seed=3
        ).version
        sides = dict(first.images.values_list("picture__sha256", "split"))
        job = bring(
            files_of(dict.fromkeys(range(8, 16), f"0 {_BOX}"), "[lon]"),
            dataset=first.dataset,
            adds=True,
            split_seed=11,
        )
        now = dict(job.version.images.values_list("picture__sha256", "split"))
        assert {key: now[key] for key in sides} == sides

    def test_waits_for_what_is_on_the_way(self, bring: Bring, waiting: DatasetVersion) -> None:
        with pytest.raises(UserError) as raised:
            bring(files_of(labels_of()), dataset=waiting.dataset, adds=True)
        assert raised.value.code == "dataset_busy"


def _fail(*_: Any) -> None:
    raise RuntimeError
