"""What runs and what ended lately is found beside a million detections that nobody looks at."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from cvtrainer_site import activity
from jobs.states import Status
from projects.models import Project
from tests import factories

pytestmark = pytest.mark.django_db


def ended(job: Any, minutes: float) -> Any:
    """Let a job have ended so many minutes ago."""
    type(job).objects.filter(pk=job.pk).update(
        status=Status.SUCCEEDED, finished_at=timezone.now() - timedelta(minutes=minutes)
    )
    return job


def test_of_all_kinds_the_latest_come_first(project: Project, owner: User) -> None:
    detections = [
        ended(factories.make_detection(project, created_by=owner), minutes)
        for minutes in range(10, 17)
    ]
    run = ended(factories.make_run(project), 11.5)
    goes_on = factories.make_run(project)
    ended(factories.make_detection(project), 1)  # somebody else's

    shown = [item.job.pk for item in activity.ended(owner, limit=4)]
    assert shown == [job.pk for job in (*detections[:2], run, detections[2])]
    assert [item.job.pk for item in activity.running(owner)] == [goes_on.pk]
    on, over = activity.glance(owner, timezone.now() - timedelta(minutes=11, seconds=15))
    assert on == [("training-runs", goes_on.pk)]
    assert over == [("detections", one.pk) for one in detections[:2]]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="reads the plan as SQLite tells it")
@pytest.mark.parametrize("ask", ["running", "ended", "glance"])
def test_the_detections_of_a_person_are_found_by_their_index(
    project: Project, owner: User, ask: str
) -> None:
    arguments = (timezone.now(),) if ask == "glance" else ()
    with CaptureQueriesContext(connection) as queries:
        getattr(activity, ask)(owner, *arguments)
    (query,) = queries.captured_queries
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
        plan = [row[3] for row in cursor.fetchall()]
    ways = [step for step in plan if "detection_of_a_person" in step]
    assert len(ways) == (2 if ask == "glance" else 1), plan
