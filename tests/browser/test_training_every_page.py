"""The pages of training and detection, on a phone and at a desk: nothing in anybody's way."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from projects.models import Project
from tests.browser.found import make_found
from tests.browser.material import make_gallery
from tests.browser.results import make_ended
from tests.browser.visitor import DESK, PHONE
from tests.factories import make_evaluation, make_run
from training.models import TrainedModel

#: Parts of a page that it asks for by itself.
_TO_COME = "[hx-trigger='load'], [data-compared][aria-busy]"
_FIGURES = {"precision": 0.9, "recall": 0.8}
_RESULT: dict[str, Any] = {
    "metrics": {"map50": 0.9, "map50_95": 0.6, **_FIGURES},
    "per_class": [
        {"class_name": "can", "ap50": 0.9, "ap50_95": 0.5, "boxes": 9, **_FIGURES},
        {"class_name": "bottle", "ap50": None, "ap50_95": None, "boxes": 0},
    ],
    "confusion": {
        "labels": ["can", "bottle", "background"],
        "matrix": [[8, 0, 1], [0, 0, 0], [1, 0, 0]],
    },
    "counts": {
        "images": 2,
        "images_right": 1,
        "per_class": [{"class_name": "can", "true": 9, "predicted": 8}],
    },
}
_AP = {**_FIGURES, "average_precision": 0.85}
_BASELINE = {
    **_AP,
    "name": "Iteration 7",
    "published_as": "kệ-7",
    "trained_at": None,
    "classes": [{"name": "can", **_AP}],
}


def pages_of(project: Project) -> list[str]:
    """Return the addresses of the pages in their different states."""
    version = make_gallery(project, baselines=[_BASELINE])
    done = make_ended(project, version, name="Kệ bia 12 lon")
    best = {"epoch": 1, "map50": 0.9, "map50_95": 0.6, "precision": 0.9, "recall": 0.8}
    on = make_run(project, dataset_version=version, status="running", attempt=2, epoch=1, best=best)
    error = {"code": "out_of_memory", "params": {"batch": 16}}
    failed = make_run(project, dataset_version=version, status="failed", error=error, epoch=1)
    failed.options |= {"batch": 16, "imgsz": 640}
    failed.save()
    smaller = {"batch": 8, "because": "out_of_memory", "batch_before": 16}
    adjusted = make_run(project, dataset_version=version, status="running", adjusted=smaller)
    paused = make_run(project, dataset_version=version, epoch=3, paused_at=timezone.now())
    waiting = make_run(project, dataset_version=version)
    metrics = {**_RESULT["metrics"], "per_class": _RESULT["per_class"]}
    TrainedModel.objects.filter(pk=done.model.pk).update(metrics=metrics, stage="production")
    model = TrainedModel.objects.get(pk=done.model.pk)
    image = version.images.first()
    counts = {"true": {"can": 2}, "predicted": {"can": 1}}
    worst = [{"image": str(image.pk), "file_name": "kệ.jpg", "difference": 1, **counts}]
    evaluation = make_evaluation(
        model=model,
        dataset_version=version,
        status="succeeded",
        result={**_RESULT, "worst_images": worst},
    )
    found = make_found(project, model=model, broken=True)
    of_project = (
        "project_overview",
        "training:run_list",
        "training:run_create",
        "training:model_list",
        "detection:detect",
        "detection:detection_list",
    )
    compared = "&".join(f"run={run.pk}" for run in (done, on, failed))
    return [
        *(reverse(name, args=[project.pk]) for name in of_project),
        f"{reverse('training:run_compare', args=[project.pk])}?{compared}",
        *(
            reverse("training:run_detail", args=[run.pk])
            for run in (done, on, failed, adjusted, paused, waiting)
        ),
        reverse("detection:model_detail", args=[model.pk]),
        reverse("detection:evaluation_detail", args=[evaluation.pk]),
        reverse("detection:detection_detail", args=[found.pk]),
    ]


@pytest.mark.parametrize(("width", "dark", "language"), [(PHONE, True, "vi"), (DESK, False, "en")])
def test_no_page_overflows_or_is_in_the_way_of_anybody(
    visit: Any, owner: User, project: Project, width: int, dark: bool, language: str
) -> None:
    visitor = visit(owner, width=width, dark=dark, language=language)
    found = []
    for path in pages_of(project):
        visitor.open(path)
        visitor.page.locator(_TO_COME).first.wait_for(state="detached")
        visitor.page.wait_for_timeout(250)
        visitor.page.eval_on_selector_all("main .fold", "folds => folds.map(f => f.open = true)")
        name = path.partition("?")[0].strip("/").replace("/", "-")
        visitor.shoot(f"{width}-{language}-{name}")
        found += [f"{path}: {problem}" for problem in visitor.problems()]
    assert not found, "\n".join(found)
