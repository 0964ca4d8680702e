"""Predictions beside the truth: what finds what, what is counted, what is kept of a large set."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from projects.models import Project
from tests import factories
from training import results, stored_results
from training.matching import NOTHING, match, mistaken
from training.nvidia_driver import driver_version
from training.predictions import KEPT_OTHERS, KEPT_WORST, Compared, compare_picture

NAMES = ["can", "bottle"]
LEFT, RIGHT = [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]


def image(*boxes: list[float], position: int = 0) -> Any:
    """Return an image of 100 × 100 pixels; boxes are [class, corners in shares]."""
    rows = [[kind, *(100 * value for value in corners)] for kind, *corners in boxes]
    return SimpleNamespace(
        position=position, boxes=rows, picture=SimpleNamespace(width=100, height=100)
    )


class TestMatching:
    def test_the_surest_takes_the_box_and_a_second_one_finds_nothing(self) -> None:
        found = [[0, 0.9, *LEFT], [0, 0.8, *LEFT]]
        assert match(found, [[0, *LEFT], [0, *RIGHT]]) == [0, NOTHING]

    def test_of_two_boxes_the_one_that_it_overlaps_most_is_found(self) -> None:
        near = [0.05, 0.0, 0.45, 0.4]
        assert match([[0, 0.9, *LEFT]], [[0, *near], [0, *LEFT]]) == [1]

    @pytest.mark.parametrize(("width", "finds"), [(0.2, True), (0.19, False)])
    def test_half_of_the_area_is_enough_and_less_is_not(self, width: float, finds: bool) -> None:
        (place,) = match([[0, 0.9, 0.0, 0.0, width, 0.4]], [[0, *LEFT]])
        assert (place == 0) is finds

    def test_another_class_is_no_match_but_is_told_apart_from_nothing(self) -> None:
        found, true = [[0, 0.9, *LEFT], [0, 0.8, *RIGHT]], [[1, *LEFT]]
        matches = match(found, true)
        assert matches == [NOTHING, NOTHING]
        assert mistaken(found, true, matches) == [(0, 0)]

    def test_a_box_without_area_finds_nothing_and_breaks_nothing(self) -> None:
        flat = [0.1, 0.1, 0.1, 0.1]
        assert match([[0, 0.9, *flat]], [[0, *flat]]) == [NOTHING]


class TestPictures:
    def test_what_is_below_the_threshold_is_matched_but_counts_for_nothing(self) -> None:
        found = [[0, 0.9, *LEFT], [1, 0.1, *RIGHT]]
        picture = compare_picture(image([0, *LEFT], [1, *RIGHT]), found, 0.25)
        assert (picture.matches, picture.missed, picture.false) == ([0, 1], 1, 0)
        assert not picture.is_right

    def test_counts_may_be_right_where_boxes_are_wrong(self) -> None:
        picture = compare_picture(image([0, *LEFT]), [[0, 0.9, *RIGHT]], 0.25)
        assert (picture.is_right, picture.mistakes) == (True, 2)

    def test_everything_stands_once_in_the_confusion(self) -> None:
        found = [[0, 0.9, *LEFT], [0, 0.8, *RIGHT], [1, 0.7, 0.0, 0.6, 0.3, 0.9]]
        compared = Compared(NAMES, 0.25)
        true = image([0, *LEFT], [1, *RIGHT], [1, 0.5, 0.0, 0.9, 0.3])
        compared.add(compare_picture(true, found, 0.25))
        rows = {tuple(pair): times for *pair, times in compared.document()["confusion"]}
        assert rows == {(0, 0): 1, (0, 1): 1, (1, 2): 1, (2, 1): 1}

    def test_of_a_large_set_the_worst_are_kept_and_some_others(self) -> None:
        compared = Compared(NAMES, 0.25)
        for position in range(1000):
            found = [[0, 0.9, *LEFT]] * (position % 3)
            compared.add(compare_picture(image(position=position), found, 0.25))
        document = compared.document()
        mistakes = [one["false"] for one in document["pictures"]]
        assert document["images"] == 1000
        assert KEPT_WORST < len(mistakes) <= KEPT_WORST + KEPT_OTHERS
        assert mistakes == sorted(mistakes, reverse=True)
        assert mistakes[:KEPT_WORST] == [2] * KEPT_WORST
        assert 0 in mistakes, "right ones are among them too"

    def test_the_same_pictures_are_kept_each_time(self) -> None:
        def kept() -> list[int]:
            compared = Compared(NAMES, 0.25, seed=4)
            for position in range(400):
                compared.add(compare_picture(image(position=position), [], 0.25))
            return [one["position"] for one in compared.document()["pictures"]]

        assert kept() == kept()

    def test_the_worst_are_shown_first_then_some_others_then_the_rest(self) -> None:
        kept = [{"position": n} for n in range(60)]
        order = [one["position"] for one in stored_results.arranged(kept)]
        assert order[:18] == list(range(18))
        assert order[18:24] == [18, 25, 32, 39, 46, 53]
        assert sorted(order) == list(range(60))


@pytest.mark.django_db
class TestAtTheEndOfARun:
    def test_predictions_that_cannot_be_read_cost_no_model(
        self, project: Project, tmp_path: Path
    ) -> None:
        run = factories.make_run(project, status="running", epoch=1)
        run.start_model = None
        path = tmp_path / "predictions.jsonl"
        path.write_text('{"file": "not a number", "boxes": []}\n')
        (tmp_path / "best.pt").write_bytes(b"weights")
        metrics = {"map50": 0.5, "map50_95": 0.3, "precision": 0.5, "recall": 0.5}
        done = {
            "best_path": str(tmp_path / "best.pt"),
            "artifacts": [{"name": path.name, "kind": "predictions", "path": str(path)}],
            "metrics": metrics,
            "best": {"epoch": 1},
            "stopped_early": False,
        }
        results.prepare(run, done, lambda: None)()
        run.refresh_from_db()
        assert run.best == {"epoch": 1, **metrics}
        assert {one.name for one in run.artifacts.all()} == {"results.csv", "environment.json"}

    def test_a_file_that_is_no_json_leaves_the_page_without_it(self, project: Project) -> None:
        run = factories.make_run(project)
        factories.make_artifact(run, name="predictions.json", kind="predictions", content=b"{")
        assert stored_results.read_predictions(run) == {}
        assert stored_results.read_confusion(run) == {}

    def test_an_older_run_has_the_matrix_of_the_library(self, project: Project) -> None:
        run = factories.make_run(project)
        confusion = {"labels": ["can", "background"], "matrix": [[3, 1], [0, 0]]}
        content = json.dumps({"confusion": confusion}).encode()
        factories.make_artifact(run, name="evaluation.json", kind="evaluation", content=content)
        assert stored_results.read_confusion(run) == {"confusion": confusion}


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 2024",
            "535.183.01",
        ),
        (
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build",
            "570.86.15",
        ),
        ("something else", None),
    ],
)
def test_the_driver_says_its_version_in_two_ways(
    tmp_path: Path, line: str, version: str | None
) -> None:
    path = tmp_path / "version"
    path.write_text(f"{line}\nGCC version:  gcc 12\n")
    assert driver_version(path) == version
    assert driver_version(tmp_path / "none") is None
