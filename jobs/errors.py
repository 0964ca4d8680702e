"""Errors that a person can act on, and the signals by which work ends early.

An error is stored as its code and parameters; the sentence is made when somebody reads it, in the
language of the reader. Each app registers its codes in its own `errors.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.frames import plain

Text = str | Promise


@dataclass(frozen=True)
class ErrorText:
    """What happened and what to do, with `{name}` placeholders for the parameters."""

    message: Text
    hint: Text
    status: int


_CATALOGUE: dict[str, ErrorText] = {}


def register(code: str, message: Text, hint: Text = "", *, status: int = 400) -> None:
    """Add an error code to the catalogue.

    Args:
        status: what the API answers where the error ends a request.

    Raises:
        ValueError: another text has the same code.
    """
    if code in _CATALOGUE:
        raise ValueError(f"Error code {code} is registered twice.")
    _CATALOGUE[code] = ErrorText(message, hint, status)


def describe(code: str, params: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """Return (message, hint) of a code in the active language; unknown codes read as internal."""
    text = _CATALOGUE.get(code) or _CATALOGUE["internal"]
    values = _Tolerant(params or {})
    return str(text.message).format_map(values), str(text.hint).format_map(values)


class _Tolerant(dict[str, Any]):
    """Parameters in which a missing name reads as a dash: an old row must not break a page."""

    def __missing__(self, key: str) -> str:
        return "–"


class UserError(Exception):
    """The caller's fault: shown as it stands, with what to do next.

    Args:
        code: a registered code, stable for clients.
        params: plain JSON values for the placeholders of the sentence; never a secret.
    """

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code, params)
        self.code = code
        self.params = params

    @property
    def message(self) -> str:
        """What happened, in the active language."""
        return describe(self.code, self.params)[0]

    @property
    def hint(self) -> str:
        """What to do, in the active language."""
        return describe(self.code, self.params)[1]

    @property
    def status(self) -> int:
        """The HTTP status with which the API answers."""
        return (_CATALOGUE.get(self.code) or _CATALOGUE["internal"]).status

    def as_row(self) -> dict[str, Any]:
        """Return what `Job.error` stores."""
        return {"code": self.code, "params": plain(self.params)}


class JobSignal(Exception):
    """Base of what ends work early without being an error."""


class LeaseLost(JobSignal):
    """Another attempt owns the job, or it has ended: write nothing more."""


class CancelRequested(JobSignal):
    """A person asked to cancel; the work leaves at its next check."""


class Drained(JobSignal):
    """The worker is leaving; the job goes back to the queue without using up an attempt."""


class Paused(Drained):
    """A person laid the job aside; it waits until they let it go on."""


class Interrupted(JobSignal):
    """The work was cut off through no fault of the job: it goes back to the queue as a loss.

    Args:
        reason: the code of the error that is shown when it has lost too often in a row.
    """

    def __init__(self, reason: str = "worker_lost") -> None:
        super().__init__(reason)
        self.reason = reason


register(
    "internal",
    _("Something went wrong on our side. The incident number is {incident}."),
    _("Try again. If it happens again, give the incident number to your administrator."),
    status=500,
)
register(
    "worker_lost",
    _("The worker was lost {losses} times in a row without getting further."),
    _("Ask your administrator to look at the worker, then start again."),
    status=500,
)
register(
    "database_away",
    _("The database did not answer while this was running, {losses} times in a row."),
    _("Ask your administrator to look at the database, then start again."),
    status=500,
)
register(
    "not_active",
    _("This has already ended."),
    _("Reload the page to see how it ended."),
    status=409,
)
register(
    "not_resumable",
    _("Only a paused, failed or canceled job can go on."),
    _("Start a new one instead."),
    status=409,
)
register(
    "ending",
    _("This is about to end already."),
    _("Wait until it has ended; it can go on later."),
    status=409,
)
register(
    "sqlite_elsewhere",
    _("Another machine works on this database, and SQLite is for one machine alone."),
    _("Set DATABASE_URL to a PostgreSQL on every host, or stop the workers of one of them."),
)
