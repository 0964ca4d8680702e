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


def phase_labels() -> dict[str, str | Promise]:
    """Return the name of each phase by its code."""
    return _LABELS
