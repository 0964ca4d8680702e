"""Questions about training runs: which comes next, and where each stands in the queue."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import BooleanField, Count, ExpressionWrapper, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from jobs.models import PausableQuerySet
from jobs.states import HELD, Status
from jobs.worker_rows import Worker
from projects.access import ScopedQuerySet
from training.places import Place, Waiting, places


class RunQuerySet(PausableQuerySet, ScopedQuerySet):  # type: ignore[override]
    """Training runs of a project."""

    _shows_places = False

    def claimable(self) -> Self:
        """Runs that a worker may take: those whose project has no more on than it may."""
        rows = super().claimable()
        if not settings.PROJECT_RUNS:
            return rows
        return rows.alias(project_held=self._held()).filter(project_held__lt=settings.PROJECT_RUNS)

    def fitting(self, gpu_class: str) -> Self:
        """Runs that a worker with a card of this class may take."""
        return self.filter(gpu_class__in={"", gpu_class})

    def in_turn(self) -> Self:
        """Waiting runs in the order in which workers take them.

        First by priority; then what was interrupted, for it had its turn already; then between
        projects, the one with the fewest trainings on first, of these the one whose turn was
        longest ago; within a project, whoever came first.
        """
        of_project = self.model._base_manager.filter(project=OuterRef("project"))
        served = of_project.filter(served_at__isnull=False).order_by("-served_at")
        had_its_turn = Q(started_at__isnull=False, queued_at__lte=F("started_at"))
        return self.annotate(
            project_held=self._held(),
            project_served=Subquery(served.values("served_at")[:1]),
            is_interrupted=ExpressionWrapper(had_its_turn, output_field=BooleanField()),
        ).order_by(
            "-priority",
            "-is_interrupted",
            "project_held",
            F("project_served").asc(nulls_first=True),
            "queued_at",
            "pk",
        )

    def with_queue_position(self) -> Self:
        """Give each run `queue_position`: 1 for the one that comes next, None for one that does not
        wait, or waits for another training of its project; and `waits_for`, the reason.

        At most two queries more, for however many runs.
        """
        rows = self.all()
        rows._shows_places = True
        return rows

    def _held(self) -> Any:
        held = self.model._base_manager.filter(project=OuterRef("project"))
        counted = held.filter(status__in=HELD).order_by().values("project")
        number = counted.annotate(number=Count("pk")).values("number")
        return Coalesce(Subquery(number, output_field=models.IntegerField()), 0)

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone._shows_places = self._shows_places
        return clone

    def _fetch_all(self) -> None:
        is_new = self._result_cache is None  # type: ignore[has-type]
        super()._fetch_all()  # type: ignore[misc]
        if is_new and self._shows_places:
            found: list[Any] = self._result_cache or []
            self._place([run for run in found if isinstance(run, self.model)])

    def _place(self, runs: list[Any]) -> None:
        if not any(run.status == Status.QUEUED for run in runs):
            return
        found = self._places()
        for run in runs:
            place = found.get(run.pk, Place(None))
            run.queue_position, run.waits_for = place.position, place.waits_for

    def _places(self) -> dict[Any, Place]:
        # The limit of a project is dealt with by the picking: each pick uses up one.
        rows = PausableQuerySet.claimable(self.model._default_manager.all())
        columns = ("pk", "project_id", "priority", "is_interrupted", "gpu_class", "queued_at")
        waiting = rows.in_turn().values_list(*columns, "project_held", "project_served")
        workers = Worker.objects.taking_work().filter(queue=self.model.queue)
        return places(
            [Waiting(*row) for row in waiting],
            most=settings.PROJECT_RUNS,
            classes=set(workers.values_list("gpu_class", flat=True)),
        )
