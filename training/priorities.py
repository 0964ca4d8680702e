"""The place that people give a training in the queue, in words."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from training.option import Text

FIRST, USUAL, LAST = 10, 0, -10
_LABELS: dict[int, Text] = {
    FIRST: _("Before all others"),
    USUAL: _("In its turn"),
    LAST: _("After all others"),
}


def choices(user: User, *, now: int = USUAL) -> list[tuple[int, Text]]:
    """Return the priorities that a person may give, each with its words; the usual one first.

    Args:
        now: what a run has already; it may keep that.
    """
    given = [USUAL, LAST, *([FIRST] if user.is_staff else [])]
    given += [now] if now not in given else []
    return [(priority, _LABELS.get(priority) or _number(priority)) for priority in given]


def _number(priority: int) -> str:
    return gettext("priority %(n)s") % {"n": priority}
