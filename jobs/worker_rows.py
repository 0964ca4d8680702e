"""The rows of workers: who serves which queue on which card, how it stands, when it was heard of.

Redis knows workers too, and forgets them; these rows are what people are shown. A worker writes
all of its row but `drain`, which is what people wish of it (`jobs.worker_wishes`).
"""

import uuid
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, DateTimeField, ExpressionWrapper, Q, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

#: How long the row of a worker that is lost is shown.
KEPT = timedelta(days=1)


class WorkerState(models.TextChoices):
    """How a worker stands, in its own words."""

    STARTING = "starting", _("Starting")
    #: Another worker has the card that it would work on.
    WAITING = "waiting", _("Waiting for its card")
    IDLE = "idle", _("Idle")
    BUSY = "busy", _("Busy")
    #: It may not work on this host; `reason` says why.
    REFUSED = "refused", _("Refuses to work")


class Drain(models.TextChoices):
    """What people wish of a worker that is to take nothing more."""

    NO = "", _("Takes work")
    AFTER = "after", _("Takes nothing more")
    NOW = "now", _("Gives back what it has")


#: How a worker stands to people: its own word, what is wished of it, and when it was heard of.
STANDINGS = {
    **{state.value: state.label for state in WorkerState},
    "draining": _("Draining"),
    "drained": _("Drained"),
    "lost": _("Lost"),
}


class WorkerQuerySet(models.QuerySet[Any]):
    """Questions about workers that pages and the queue ask."""

    def with_standing(self) -> Self:
        """Add `standing`, a key of `STANDINGS`, by the database's clock."""
        is_well = Q(state__in=[WorkerState.IDLE, WorkerState.STARTING, WorkerState.WAITING])
        return self.annotate(
            standing=Case(
                When(last_seen__lt=_long_ago(), then=Value("lost")),
                When(Q(state=WorkerState.BUSY) & ~Q(drain=Drain.NO), then=Value("draining")),
                When(is_well & ~Q(drain=Drain.NO), then=Value("drained")),
                default="state",
                output_field=models.CharField(),
            )
        )

    def alive(self) -> Self:
        """Workers of which something was heard lately."""
        return self.filter(last_seen__gte=_long_ago())

    def taking_work(self) -> Self:
        """Workers that take work, now or when they have done what they are at."""
        no_use = [WorkerState.REFUSED, WorkerState.WAITING]
        return self.alive().filter(drain=Drain.NO).exclude(state__in=no_use)

    def on_another_machine(self, name: str) -> Self:
        """Living workers elsewhere that were there before this one."""
        mine = self.filter(name=name)
        earlier = Q(started_at__lt=mine.values("started_at")[:1])
        here = Q(machine="") | Q(machine__in=mine.values("machine"))
        return self.alive().filter(earlier).exclude(here)

    def gone(self) -> Self:
        """Workers that have been lost for so long that nobody looks for them any more."""
        old = ExpressionWrapper(Now() - KEPT, output_field=DateTimeField())
        return self.filter(last_seen__lt=old)


def _long_ago() -> Any:
    """Return the time before which a living worker has been heard of: one lease."""
    silence = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    return ExpressionWrapper(Now() - silence, output_field=DateTimeField())


class Worker(models.Model):
    """One worker process; its name is never used twice."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    host = models.CharField(max_length=100)
    #: The machine since its last start; containers on one have the same.
    machine = models.CharField(max_length=64, blank=True)
    queue = models.CharField(max_length=20)
    gpu_name = models.CharField(max_length=100, blank=True)
    gpu_uuid = models.CharField(max_length=64, blank=True)
    gpu_memory_mb = models.PositiveIntegerField(null=True)
    #: One word for the kind of card, such as t4 or a100; cpu where there is none.
    gpu_class = models.CharField(max_length=30, blank=True)
    compute_capability = models.CharField(max_length=8, blank=True)
    driver = models.CharField(max_length=30, blank=True)
    torch = models.CharField(max_length=40, blank=True)
    cuda = models.CharField(max_length=20, blank=True)
    state = models.CharField(
        max_length=10, choices=WorkerState.choices, default=WorkerState.STARTING
    )
    #: Code and parameters of a registered error: why it refuses to work, or what it waits for.
    reason = models.JSONField(null=True, blank=True)
    since = models.DateTimeField(help_text="in this state")
    started_at = models.DateTimeField()
    last_seen = models.DateTimeField()
    drain = models.CharField(max_length=5, choices=Drain.choices, blank=True, default=Drain.NO)
    drained_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["host", "queue", "gpu_uuid", "name"]
        indexes: ClassVar = [models.Index(fields=["queue", "last_seen"], name="jobs_worker_seen")]

    def __str__(self) -> str:
        return self.name

    @property
    def gpu_memory_gb(self) -> int | None:
        """The memory of the card in whole GB."""
        return None if self.gpu_memory_mb is None else round(self.gpu_memory_mb / 1024)
