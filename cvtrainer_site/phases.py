"""What the phases of long work are called; a phase that is not here reads as "Working"."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_LABELS: dict[str, str | Promise] = {
    "working": _("Working"),
    "queued": _("Waiting for its turn"),
}


def phase_labels() -> dict[str, str | Promise]:
    """Return the name of each phase by its code."""
    return _LABELS
