"""What the phases of long work are called; a phase that is not here reads as "Working"."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_LABELS: dict[str, str | Promise] = {
    "working": _("Working"),
    "queued": _("Waiting for its turn"),
    # imports
    "read": _("Reading the ZIP"),
    "pictures": _("Checking and storing the pictures"),
    "split": _("Splitting into training and validation"),
    "count": _("Counting"),
    "finish": _("Finishing"),
    # training runs
    "prepare": _("Preparing"),
    "prepare_pictures": _("Preparing pictures"),
    "train": _("Training"),
    "validate": _("Measuring on the validation set"),
    # detections and evaluations
    "detect": _("Detecting objects"),
    "measure": _("Measuring"),
}

#: What the workers of a queue do.
_QUEUES: dict[str, str | Promise] = {
    "imports": _("Import"),
    "training": _("Training"),
    "detection": _("Object detection"),
}
#: htmx takes it as the end of polling: the person has signed out in another tab.
STOP_POLLING = 286


def queue_labels() -> dict[str, str | Promise]:
    """Return what is done in each queue, by its name."""
    return _QUEUES


def phase_labels() -> dict[str, str | Promise]:
    """Return the name of each phase by its code."""
    return _LABELS
