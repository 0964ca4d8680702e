"""A page or list takes as many queries for twenty rows as for one."""

from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from datasets.models import Dataset
from projects.models import Project
from tests import factories
from tests.api.access_rules import API, OK, PAGES
from tests.api.routes import fill
from tests.api.world import world  # noqa: F401
from training.models import EpochMetrics, TrainingRun

#: Of a page that shows one more thing once there is enough of it: what it may take more.
ALLOWED: dict[str, int] = {}
#: What an address does not answer without.
_TWO_RUNS = "?run={training-runs}&run={other-runs}"
QUERIES = {
    "api/v1/dataset-versions/<uuid:pk>/compare/": "?with={dataset-versions}",
    "api/v1/training-presets/": "?dataset_version={dataset-versions}",
    "api/v1/training-runs/compare/": _TWO_RUNS,
    "projects/<uuid:project_id>/training-runs/compare/": _TWO_RUNS,
}


def test_queries_do_not_grow_with_the_rows(
    owner: User,
    project: Project,
    world: dict[str, Any],  # noqa: F811
) -> None:
    client = Client()
    client.force_login(owner)
    ContentType.objects.clear_cache()
    grow(owner, project, world, 1)

    few = {url: queries(client, url) for url in urls(world)}
    grow(owner, project, world, 20)
    many = {url: queries(client, url) for url in urls(world)}

    grown = {
        url: (few[url], many[url]) for url in few if many[url] > few[url] + ALLOWED.get(url, 0)
    }
    assert grown == {}


def urls(rows: dict[str, Any]) -> list[str]:
    rules = {**API, **PAGES}
    watched = {"readyz", "metrics", "healthz"}
    return [
        fill(route, rows) + QUERIES.get(route, "").format_map(rows)
        for route, rule in rules.items()
        # Of what is for staff alone, its own test.
        if "GET" in rule and route not in watched and rule["GET"][-1] == OK
    ]


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(url)
        assert answer.status_code in {200, 302}, url
    return len(captured)


def grow(owner: User, project: Project, rows: dict[str, Any], count: int) -> None:
    """Add rows of every kind."""
    run = TrainingRun.objects.get(pk=rows["training-runs"])
    dataset = Dataset.objects.get(pk=rows["datasets"])
    version = dataset.versions.get(pk=rows["dataset-versions"])
    detection = factories.Detection.objects.get(pk=rows["detections"])
    for _ in range(count):
        factories.make_member(project)
        factories.make_project(owner)
        factories.make_token(owner, project=project)
        factories.make_import(project)
        factories.make_version(dataset)
        factories.make_image(version)
        factories.make_artifact(run, name=f"plot{run.artifacts.count()}.png")
        EpochMetrics.objects.create(run=run, epoch=run.epochs.count() + 1, attempt=1)
        other = factories.make_run(project)
        model = factories.make_model(project, training_run=other)
        factories.make_detection_image(factories.make_detection(model=model))
        factories.make_evaluation(model=model)
        factories.make_detection_image(detection)
