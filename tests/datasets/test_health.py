"""The health report of a version: measured at import, ordered by harm: may I train?"""

from typing import Any

import pytest
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from datasets import reviewing, services
from datasets.class_edit import ClassChange
from datasets.class_table import class_table
from datasets.editing import Edit
from datasets.health import Health, _overlap, twins
from datasets.health_findings import findings
from datasets.health_serializers import health_of
from datasets.models import DatasetImage, DatasetVersion, Picture
from tests import factories
from tests.datasets.importing import Bring
from tests.datasets.samples import encoded
from tests.datasets.test_import_split import scene
from tests.personas import ClientFactory
from tests.storage.zips import Content

_BOX = "0.5 0.5 0.3 0.3\n"


def image(boxes: list[list[float]], size: tuple[int, int] = (1280, 960), **fields: Any) -> Any:
    picture = Picture(width=size[0], height=size[1])
    return DatasetImage(picture=picture, boxes=boxes, split="train", **fields)


def measured(*images: Any) -> dict[str, Any]:
    health = Health()
    for it in images:
        health.add(it)
    return health.row()


def labelled_zip(labels: list[str], names: str = "names: [lon, chai, hộp]\n") -> dict[str, Content]:
    """Return a ZIP with a picture for each label file."""
    files: dict[str, Content] = {"data.yaml": names}
    for number, text in enumerate(labels):
        files[f"images/p{number:02}.jpg"] = encoded(scene(number), quality=90)
        files[f"labels/p{number:02}.txt"] = text
    return files


def codes(report: dict[str, Any]) -> list[str]:
    return [finding.code for finding in report["findings"]]


class TestMeasures:
    def test_boxes_are_measured_as_the_model_sees_them(self) -> None:
        # 1280 pixels become 640: a side of 14 is one of 7.
        sides = (14, 18, 62, 66, 190, 194)
        boxes = [[0, 100.0 * n, 0.0, 100.0 * n + side, float(side)] for n, side in enumerate(sides)]
        row = measured(image(boxes))
        assert [line["boxes"] for line in row["box_sizes"]] == [1, 2, 2, 1]
        assert row["suspicious"]["tiny"]["pictures"] == 1

    def test_boxes_a_picture_stand_in_columns(self) -> None:
        box = [0, 1.0, 1.0, 99.0, 99.0]
        row = measured(*(image([box] * count) for count in (0, 1, 4, 9, 120)))
        found = {line["from"]: line["pictures"] for line in row["boxes_a_picture"]}
        assert found == {0: 1, 1: 1, 2: 1, 5: 1, 10: 0, 20: 0, 50: 0, 100: 1}

    def test_centres_fall_into_the_grid_even_at_the_edge(self) -> None:
        row = measured(image([[0, 0.0, 0.0, 2.0, 2.0], [0, 1279.0, 959.0, 1280.0, 960.0]]))
        assert row["centres"][0][0] == 1 and row["centres"][7][7] == 1
        assert sum(map(sum, row["centres"])) == 2

    def test_pictures_are_counted_by_size_and_shape(self) -> None:
        sizes = [(640, 480)] * 3 + [(480, 640)] * 2 + [(500, 500)]
        row = measured(*(image([], size) for size in sizes))
        assert row["picture_sizes"][0] == {"width": 640, "height": 480, "pictures": 3}
        assert row["shapes"] == {"landscape": 3, "portrait": 2, "square": 1}
        assert row["kinds_of_size"] == 3

    def test_a_picture_is_suspicious_once_whatever_it_has_of_it(self) -> None:
        both = [[0, 0.0, 0.0, 3.0, 3.0], [0, 0.0, 0.0, 1280.0, 960.0], [1, 9.0, 9.0, 11.0, 11.0]]
        row = measured(image(both, file_name="a.jpg"), image(both[:1]))
        counts = {kind: found["pictures"] for kind, found in row["suspicious"].items()}
        assert counts == {"tiny": 2, "huge": 1}
        assert row["suspicious"]["huge"]["examples"][0]["file_name"] == "a.jpg"

    @settings(max_examples=200, deadline=None)
    @given(
        st.lists(
            st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 30)] * 2), min_size=1, max_size=12
        )
    )
    def test_twins_are_found_as_by_comparing_each_with_each(self, shapes: list[Any]) -> None:
        rows = [[0, x, y, x + width, y + height] for x, y, width, height in shapes]
        pairs = ((a, b) for n, a in enumerate(rows) for b in rows[n + 1 :])
        assert bool(twins(rows)) == any(_overlap(a, b) >= 0.9 for a, b in pairs)


@pytest.mark.django_db(transaction=True)
class TestReport:
    def test_of_good_data_names_only_that_there_is_little(self, bring: Bring) -> None:
        version = bring(labelled_zip([f"0 {_BOX}1 {_BOX[:-5]}2 0.9\n"] * 40)).version
        report = health_of(version)
        assert report["ready"]
        assert codes(report) == ["health_few_pictures"]
        assert report["measures"]["labelled"]["train"] == 32

    def test_names_classes_that_cannot_be_learned_or_measured(self, bring: Bring) -> None:
        labels = [f"0 {_BOX}" for _ in range(20)] + [f"1 {_BOX}"]
        report = health_of(bring(labelled_zip(labels)).version)
        found = {finding.code: finding for finding in report["findings"]}
        assert report["ready"]
        assert "chai" in found["health_classes_unmeasured"].message
        assert found["health_classes_few"].params["names"] == "chai"
        # A class without any box is nobody's concern.
        assert not any("hộp" in finding.message for finding in report["findings"])

    def test_is_not_ready_where_nothing_can_be_measured(self, bring: Bring) -> None:
        files = labelled_zip([f"0 {_BOX}"] * 4)
        moved: dict[str, Content] = {"data.yaml": files.pop("data.yaml")}
        for name, content in files.items():
            folder, file = name.split("/")
            moved[f"train/{folder}/{file}"] = content
        for number in (7, 8):
            moved[f"valid/images/v{number}.jpg"] = encoded(scene(number), quality=90)
            moved[f"valid/labels/v{number}.txt"] = ""
        report = health_of(bring(moved).version)
        assert not report["ready"]
        assert codes(report)[0] == "health_nothing_to_measure"

    def test_says_by_its_badge_what_is_missing_first(self, bring: Bring) -> None:
        version = bring(labelled_zip([f"0 {_BOX}"] * 4)).version
        assert findings(version, class_table(version))[0].badge == ""
        version.classes.update(by_split={"train": [4, 4]})
        with translation.override("en"):
            found = findings(version, class_table(version))
            assert found[0].badge == "Not ready to train: no box in the validation set"
            version.classes.update(by_split={"test": [4, 4]})
            found = findings(version, class_table(version))
            assert found[0].badge == "Not ready to train: no box in the training set"

    def test_goes_along_with_a_new_split(self, bring: Bring) -> None:
        version = bring(labelled_zip([f"0 {_BOX}"] * 10)).version
        made = services.resplit_version(version=version, split_ratio=0.5, split_seed=1)
        assert made.health["labelled"] == {"train": 5, "val": 5, "test": 0}
        assert made.health["box_sizes"] == version.health["box_sizes"]
        assert made.health["aspects"] == version.health["aspects"]

    def test_takes_the_same_queries_for_any_number_of_pictures(
        self, bring: Bring, django_assert_num_queries: Any
    ) -> None:
        for count in (4, 30):
            files = labelled_zip([f"0 {_BOX}"] * count)
            version = bring(files, dataset_name=f"{count}").version
            with django_assert_num_queries(1):
                health_of(version)


@pytest.mark.django_db(transaction=True)
class TestWhatIsNotAsItShould:
    """Empty, unlabelled, doubled and unreadable: said of a version and of all that comes of it."""

    @pytest.fixture
    def version(self, bring: Bring) -> DatasetVersion:
        """Eight pictures with a box, two empty ones, three without a label; three broken files."""
        files = labelled_zip([f"0 {_BOX}"] * 8 + [""] * 2)
        for number in range(10, 13):
            files[f"images/p{number}.jpg"] = encoded(scene(number), quality=90)
        files["images/twin.jpg"] = files["images/p00.jpg"]
        files["images/near.jpg"] = encoded(scene(1), quality=25)
        files["labels/twin.txt"] = files["labels/near.txt"] = f"0 {_BOX}"
        files["images/broken.jpg"] = b"no picture"
        files["images/cut.jpg"] = encoded(scene(50), quality=90)[:-900]
        files["images/other.tif"] = b"II*\x00"
        for name in ("broken", "cut", "other"):
            files[f"labels/{name}.txt"] = f"0 {_BOX}"
        version: DatasetVersion = bring(files).version
        assert version.images_total == 14
        return version

    def _says(self, version: DatasetVersion, *, images: int = 14) -> None:
        report = health_of(version)
        more = images - 14
        assert report["pictures"] == {"labelled": 9 + more, "empty": 2, "unlabelled": 3}
        assert report["duplicates"] == {"identical": 1, "look_alike": 2}
        unreadable = {row["code"]: row["examples"] for row in report["unreadable"]}
        assert unreadable == {
            "picture_unreadable": ["images/broken.jpg"],
            "picture_truncated": ["images/cut.jpg"],
            "picture_format": ["images/other.tif"],
        }
        counts = {row.code: row.params.get("count") for row in report["findings"]}
        assert (counts["picture_unlabelled"], counts["health_unreadable"]) == (3, 3)

    def test_of_an_import(self, version: DatasetVersion) -> None:
        self._says(version)

    def test_of_a_new_split_a_restored_and_an_edited_one(self, version: DatasetVersion) -> None:
        made = services.resplit_version(version=version, split_ratio=0.4, split_seed=4)
        self._says(made)
        self._says(services.restore_version(version=version))
        edit = Edit((ClassChange(0, "bia"), ClassChange(1, "chai"), ClassChange(2, "hộp")))
        self._says(reviewing.edit_version(version=made, edit=edit))

    def test_of_what_is_added_to(self, bring: Bring, version: DatasetVersion) -> None:
        made = services.resplit_version(version=version, split_ratio=0.4, split_seed=4)
        files: dict[str, Content] = {"data.yaml": "names: [lon]\n"}
        for number in range(30, 34):
            files[f"images/p{number}.jpg"] = encoded(scene(number), quality=90)
            files[f"labels/p{number}.txt"] = f"0 {_BOX}"
        self._says(bring(files, dataset=made.dataset, adds=True).version, images=18)

    def test_of_a_version_from_before_as_far_as_it_is_known(self, version: DatasetVersion) -> None:
        health = {k: v for k, v in version.health.items() if k in {"labelled", "box_sizes"}}
        DatasetVersion.objects.update(health=health)
        version.refresh_from_db()
        report = health_of(version)
        assert report["pictures"] == {"labelled": 9, "empty": 2, "unlabelled": 3}
        assert len(report["unreadable"]) == 3
        DatasetVersion.objects.update(health={})
        version.refresh_from_db()
        assert health_of(version)["pictures"] == {"labelled": 0, "empty": 0, "unlabelled": 3}

    def test_is_shown_by_the_page_and_the_api(
        self, api: ClientFactory, viewer: User, version: DatasetVersion
    ) -> None:
        made = services.resplit_version(version=version, split_ratio=0.4, split_seed=4)
        client = api(viewer)
        body = client.get(f"/api/v1/dataset-versions/{made.pk}/health/").json()
        assert body["pictures"] == {"labelled": 9, "empty": 2, "unlabelled": 3}
        assert body["duplicates"] == {"identical": 1, "look_alike": 2}
        broken = next(row for row in body["unreadable"] if row["code"] == "picture_unreadable")
        assert (broken["count"], broken["examples"]) == (1, ["images/broken.jpg"])
        assert broken["message"]
        assert body["measures"]["aspects"] == [{"aspect": "4:3", "pictures": 14}]

        answer = client.get(f"/dataset-versions/{made.pk}/health/")
        charts = {
            name: [(bar.count, bar.query) for bar in answer.context["charts"][name]]
            for name in ("labels", "duplicates", "aspects", "class_pictures")
        }
        assert charts == {
            "labels": [(9, ""), (2, ""), (3, "problem=picture_unlabelled")],
            "duplicates": [(1, "problem=picture_twice"), (2, "problem=look_alike")],
            "aspects": [(14, "")],
            "class_pictures": [(9, "class=0"), (0, "class=1"), (0, "class=2")],
        }
        text = answer.content.decode()
        for chart in ("class-pictures", "labels", "duplicates", "aspects"):
            assert f'id="{chart}-chart"' in text
        assert "images/cut.jpg" in text
        assert f"/dataset-versions/{made.pk}/images/?problem=picture_unlabelled" in text
        gallery = client.get(f"/dataset-versions/{made.pk}/images/?problem=picture_unlabelled")
        assert len(gallery.context["tiles"]) == 3


@pytest.mark.django_db(transaction=True)
class TestApi:
    def test_tells_what_the_page_tells(
        self, bring: Bring, api: ClientFactory, owner: User, viewer: User
    ) -> None:
        twice = "0 0.5 0.5 0.3 0.3\n1 0.5 0.5 0.3 0.3\n"
        version = bring(labelled_zip([twice] * 5)).version
        answer = api(viewer).get(f"/api/v1/dataset-versions/{version.pk}/health/")
        assert answer.status_code == 200
        body = answer.json()
        assert body["ready"] is True
        twins = next(row for row in body["findings"] if row["code"] == "health_twins")
        assert "5" in twins["message"] and len(twins["examples"]) == 5
        assert body["classes"][0]["name"] == "lon"
        assert sum(body["classes"][0]["boxes"].values()) == 5
        page = api(viewer).get(f"/dataset-versions/{version.pk}/health/").content.decode()
        assert twins["examples"][0]["file_name"] in page

    def test_a_version_that_is_not_ready_has_none(
        self, api: ClientFactory, owner: User, project: Any
    ) -> None:
        importing = DatasetVersion.Status.IMPORTING
        version = factories.make_version(factories.make_dataset(project), status=importing)
        answer = api(owner).get(f"/api/v1/dataset-versions/{version.pk}/health/")
        assert (answer.status_code, answer.json()["code"]) == (409, "version_not_ready")
        assert api(owner).get(f"/dataset-versions/{version.pk}/health/").status_code == 404
