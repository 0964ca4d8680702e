"""Letters about ended jobs: noted in the transaction that ends one, sent by another process.

A notice is a row: it is there exactly where the end is there, whatever dies. Who sends takes it
first, for a while, so that two who deliver never send the same; what cannot be delivered now is
tried again, ever more seldom. It is removed once the mail server has it. Only where the answer of
that server was lost does it go out again, with the same Message-ID.

What a letter says is not known here: `settings.JOB_LETTERS` names who writes it.
"""

import logging
import smtplib
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import DatabaseError, connection
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string

from jobs.models import EndNotice, Job
from jobs.patience import persist
from jobs.states import Status

log = logging.getLogger(__name__)

_EVERY_SECONDS = 5.0
#: Pauses after a try that failed, the last one again and again; then it is too late to tell.
_PAUSES = tuple(timedelta(minutes=n) for n in (1, 5, 15, 60))
_TOO_LATE = timedelta(days=1)
#: Whoever sends a letter has it for so long; a mail server answers sooner, or has timed out.
_HELD = timedelta(minutes=10)
#: Letters in one go: a mail server that hangs holds up no more than these.
_BATCH = 20
#: Ends that are news: whoever canceled knows.
_TOLD = frozenset({Status.SUCCEEDED, Status.FAILED})

#: Makes the letter of a notice; None where there is nobody to tell any more, or nothing.
Write = Callable[[EndNotice], EmailMessage | None]


def note_end(job: Job) -> None:
    """Note that somebody wants to hear of this end; called in the transaction that writes it."""
    if not settings.EMAIL_FROM or not job.tells_its_end or job.status not in _TOLD:
        return
    person: Any = job.created_by
    if person is not None and getattr(person, "email_when_done", False):
        EndNotice.objects.create(user=person, slug=job.slug, job_id=job.pk, status=job.status)


class Postman:
    """Delivers in a thread of its own: leases are watched meanwhile."""

    def __init__(self) -> None:
        self._due = time.monotonic()
        self._thread: threading.Thread | None = None

    def begin_if_due(self) -> None:
        """Begin in the background where it is time and the last round has ended."""
        is_busy = self._thread is not None and self._thread.is_alive()
        if not settings.EMAIL_FROM or time.monotonic() < self._due or is_busy:
            return
        self._due = time.monotonic() + _EVERY_SECONDS
        self._thread = threading.Thread(target=_in_thread, name="postman", daemon=True)
        self._thread.start()


def deliver() -> int:
    """Send what is due, and return how much was sent."""
    now = timezone.now()
    due = EndNotice.objects.filter(next_try_at__lte=now).order_by("next_try_at")
    return sum(_deliver(notice) for notice in due[:_BATCH])


def _deliver(notice: EndNotice) -> bool:
    mine = EndNotice.objects.filter(pk=notice.pk, tries=notice.tries)
    if not mine.update(tries=F("tries") + 1, next_try_at=timezone.now() + _HELD):
        return False  # somebody else delivers it
    write: Write = import_string(settings.JOB_LETTERS)
    letter = write(notice)
    is_done = letter is None or _is_taken(letter, notice)
    rows = EndNotice.objects.filter(pk=notice.pk)
    if is_done:
        persist(rows.delete)
    elif timezone.now() - notice.created_at > _TOO_LATE:
        log.error("A letter about %s %s could not be delivered", notice.slug, notice.job_id)
        rows.delete()
    else:
        rows.update(next_try_at=timezone.now() + _PAUSES[min(notice.tries, len(_PAUSES) - 1)])
    return is_done and letter is not None


def _is_taken(letter: EmailMessage, notice: EndNotice) -> bool:
    """Send a letter; False where it is worth another try."""
    letter.extra_headers["Message-ID"] = f"<end-{notice.key}@cvtrainer>"
    try:
        letter.send()
    except (smtplib.SMTPException, OSError) as error:
        # Neither the letter nor the address is told here, and no password that a server repeats.
        log.warning("The mail server took no letter: %s", type(error).__name__)
        return _is_no_address(error)
    return True


def _is_no_address(error: Exception) -> bool:
    """Whether there is nobody at the address: another try would bring the same answer."""
    refused = error.recipients if isinstance(error, smtplib.SMTPRecipientsRefused) else {}
    return bool(refused) and all(code >= 500 for code, _ in refused.values())


def _in_thread() -> None:
    try:
        deliver()
    except DatabaseError:
        log.warning("The database is away; letters wait")
    except Exception:
        log.exception("Letters could not be delivered")
    finally:
        connection.close()
