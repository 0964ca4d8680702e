"""The statuses of a job and the transitions between them: data, no code."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    """Where a job stands; the one status that exists for it."""

    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    STOPPING = "stopping", _("Stopping")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELED = "canceled", _("Canceled")


#: A worker holds the lease.
HELD = frozenset({Status.RUNNING, Status.STOPPING})
#: Not ended yet.
ACTIVE = HELD | {Status.QUEUED}
TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})
#: Ended, and may be queued again at a person's wish.
RETRIABLE = frozenset({Status.FAILED, Status.CANCELED})

#: to -> from
SOURCES: dict[Status, frozenset[Status]] = {
    Status.QUEUED: HELD | RETRIABLE,
    Status.RUNNING: frozenset({Status.QUEUED}),
    Status.STOPPING: frozenset({Status.RUNNING}),
    Status.SUCCEEDED: HELD,
    Status.FAILED: ACTIVE,
    Status.CANCELED: ACTIVE,
}
