"""The abstract job and its events; imports, trainings, evaluations and detections inherit them."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import DateTimeField, ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone

import jobs.worker_rows  # noqa: F401  the model of workers belongs to this app too
from jobs.clock import database_ahead
from jobs.states import ACTIVE, HELD, Status

#: A lease that has run out long ago: what an unclaimed job carries, because a NULL never expires.
NO_LEASE = datetime(1970, 1, 1, tzinfo=UTC)

#: Whoever takes a lease may be set to another length than whoever looks at it.
_LONGER_THAN_ANY = timedelta(minutes=15)

#: In a fixed order, or every run of makemigrations would find another constraint.
_ACTIVE_IN_ORDER = [status.value for status in Status if status in ACTIVE]


def lease_end(more: timedelta = timedelta(0)) -> Any:
    """Return when a lease that is taken now ends, by the database's clock."""
    length = timedelta(seconds=settings.JOB_LEASE_SECONDS)
    return ExpressionWrapper(Now() + length + more, output_field=DateTimeField())


def lease_is_over() -> Q:
    """Return what is true of a lease that nobody keeps any more.

    One that ends later than any lease could was taken before the database's clock was set back;
    whoever still keeps it has renewed it since, by the new time.
    """
    return Q(lease_until__lt=Now()) | Q(lease_until__gt=lease_end(_LONGER_THAN_ANY))


class JobQuerySet(models.QuerySet[Any]):
    """Questions about jobs that the kernel and the pages ask."""

    def active(self) -> Self:
        """Jobs that have not ended."""
        return self.filter(status__in=ACTIVE)

    def held(self) -> Self:
        """Jobs that a worker holds, or held when it was last heard of."""
        return self.filter(status__in=HELD)

    def waiting(self) -> Self:
        """Jobs that wait for a worker."""
        return self.filter(status=Status.QUEUED)

    def claimable(self) -> Self:
        """Jobs that wait for a worker of this release."""
        return self.waiting().filter(
            cancel_requested_at__isnull=True, spec_version__lte=self.model.newest_spec
        )

    def silent(self) -> Self:
        """Jobs whose worker let the lease run out, by the database's clock."""
        return self.held().filter(lease_is_over())


class Job(models.Model):
    """One piece of long work: the row is the truth, the queue only a doorbell.

    Only `jobs.transitions` writes `status`, `attempt` and `lease_until`.
    """

    #: RQ queue, dotted path of the task `f(id)`, and the name in URLs and channel groups.
    queue: ClassVar[str]
    task: ClassVar[str]
    slug: ClassVar[str]
    #: Losses in a row without progress before the kernel gives up.
    max_losses: ClassVar[int] = 3
    #: Whether who started it may be written to when it ends.
    tells_its_end: ClassVar[bool] = False
    #: The newest kind of specification that this release can run; it leaves newer ones alone. A
    #: release that raises it writes it into those rows alone that an older one would do wrongly.
    newest_spec: ClassVar[int] = 1

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveIntegerField(default=0, help_text="Fencing token: rises by each claim")
    losses = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(default=NO_LEASE)
    spec_version = models.PositiveSmallIntegerField(default=1)
    last_seq = models.BigIntegerField(default=0)
    progress = models.JSONField(default=dict, blank=True)
    error = models.JSONField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    #: By the clock that it is compared with: the web's may be another by an hour.
    queued_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["status", "lease_until"], name="%(app_label)s_%(class)s_lease"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=Status.values), name="%(app_label)s_%(class)s_status"
            ),
            models.CheckConstraint(
                condition=Q(finished_at__isnull=False) | Q(status__in=_ACTIVE_IN_ORDER),
                name="%(app_label)s_%(class)s_ended_at",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.id}"

    @property
    def is_active(self) -> bool:
        """Whether it has not ended yet."""
        return self.status in ACTIVE

    @property
    def heard_at(self) -> datetime | None:
        """When the worker of a held job was last heard of, where that is too long ago; else None.

        By our own clock, as people are told how long ago that was; it decides nothing.
        """
        if self.status not in HELD:
            return None
        lease_until = self.lease_until - database_ahead()
        if lease_until >= timezone.now():
            return None
        return lease_until - timedelta(seconds=settings.JOB_LEASE_SECONDS)

    @classmethod
    def claim_columns(cls, job_id: Any) -> dict[str, Any]:
        """Return further columns that a claim writes; called in its transaction, before it.

        A job whose claim depends on other rows locks them here.
        """
        return {}

    def moved(self) -> None:
        """Hear of a new status, in the transaction that writes it.

        For rows that mirror it: whichever way a job ends, they never disagree.
        """

    @classmethod
    def event_model(cls) -> "type[JobEvent]":
        """Return the concrete event model of this job."""
        return cls._meta.get_field("events").related_model  # type: ignore[return-value]


class PausableQuerySet(JobQuerySet):
    """Jobs that a person may lay aside."""

    def waiting(self) -> Self:
        """Jobs that wait for a worker, and not for a person."""
        return super().waiting().filter(paused_at__isnull=True)


class PausableJob(Job):
    """A job that a person may lay aside: its worker leaves it, and none takes it meanwhile.

    No status of its own: it is queued, and nobody may claim it until the pause ends.
    """

    paused_at = models.DateTimeField(null=True, blank=True, help_text="a person laid it aside")

    class Meta(Job.Meta):
        abstract = True

    @property
    def is_paused(self) -> bool:
        """Whether it lies aside."""
        return self.status == Status.QUEUED and self.paused_at is not None

    @property
    def is_pausing(self) -> bool:
        """Whether its worker is about to leave it."""
        return self.status in HELD and self.paused_at is not None


class EventQuerySet(models.QuerySet[Any]):
    """The story of jobs, read by cursor."""

    def after(self, seq: int, *, limit: int) -> Self:
        """The next frames behind a number, in order."""
        return self.filter(seq__gt=seq).order_by("seq")[:limit]

    def before(self, seq: int, *, limit: int) -> Self:
        """The last frames before a number, the newest first."""
        return self.filter(seq__lt=seq).order_by("-seq")[:limit]


class JobEvent(models.Model):
    """One frame of a job's story: `seq` grows by one a job, without gaps.

    Concrete models add `job = ForeignKey(<Job>, related_name="events")` and inherit `Meta`.
    """

    class Type(models.TextChoices):
        """What a frame tells."""

        LOG = "log"
        EPOCH = "epoch"
        PROGRESS = "progress"
        STATUS = "status"

    id = models.BigAutoField(primary_key=True)
    seq = models.BigIntegerField()
    type = models.CharField(max_length=8, choices=Type.choices)
    at = models.DateTimeField(default=timezone.now)
    payload = models.JSONField(default=dict)

    objects = EventQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["job", "seq"], name="%(app_label)s_%(class)s_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.seq}"

    def frame(self) -> dict[str, Any]:
        """Return the frame as the WebSocket contract names it."""
        at = self.at.isoformat().replace("+00:00", "Z")
        return {"type": self.type, "seq": self.seq, "at": at, **self.payload}


class EndNotice(models.Model):
    """Somebody is to hear by e-mail that a job has ended; gone once they were told."""

    key = models.UUIDField(default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    slug = models.CharField(max_length=40)
    job_id = models.UUIDField()
    status = models.CharField(max_length=10, choices=Status.choices)
    created_at = models.DateTimeField(auto_now_add=True)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.slug} {self.job_id} {self.status}"


class StreamTicket(models.Model):
    """Opens one WebSocket within a minute: for clients that can send no header and no cookie.

    It can do no more than the token that it was made with, and dies with it.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token = models.ForeignKey(
        settings.KNOX_TOKEN_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user} until {self.expires_at:%H:%M:%S}"
