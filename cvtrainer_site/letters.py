"""What a letter about an ended job says, in the language of whoever gets it."""

from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from cvtrainer_site.activity import RELATED, Item, item_of
from jobs.errors import describe
from jobs.models import EndNotice
from jobs.registry import job_model
from jobs.states import Status
from training.ending import told_early_end
from training.models import TrainingRun


def letter_about(notice: EndNotice) -> EmailMessage | None:
    """Return the letter of a notice.

    None where there is nothing to tell any more: the job goes on or is gone, the person is not
    there any more, may not see it, has no address, or does not want letters now.
    """
    user: Any = notice.user
    if not (user.is_active and user.email and user.email_when_done):
        return None
    rows: Any = job_model(notice.slug)._default_manager.filter(pk=notice.job_id)
    seen = rows.visible_to(user).select_related(*RELATED[notice.slug])
    job = seen.filter(status=notice.status).first()
    if job is None:
        return None
    with translation.override(user.language or settings.LANGUAGE_CODE):
        item = item_of(job)
        return EmailMessage(_subject(item), _text(item), settings.EMAIL_FROM, [user.email])


def _subject(item: Item) -> str:
    text = _("%(kind)s %(title)s: %(status)s") % _words(item)
    # A name may hold a line break, a subject may not.
    return " ".join(f"CVTrainer · {text}".split())


def _text(item: Item) -> str:
    lines = [_("%(kind)s %(title)s in the project %(project)s: %(status)s.") % _words(item)]
    if item.job.status == Status.FAILED and item.job.error:
        lines += [" ".join(describe(item.job.error["code"], item.job.error.get("params")))]
    elif best := _best(item.job):
        lines += [best]
    if isinstance(item.job, TrainingRun) and item.job.stopped_early:
        lines += [told_early_end(item.job)]
    lines += [_address(item.url)]
    switch = _("You asked to be told. To get no more letters, switch them off here:")
    return "\n\n".join([*lines, f"{switch}\n{_address(reverse('accounts:account'))}"]) + "\n"


def _words(item: Item) -> dict[str, str]:
    return {
        "kind": item.kind,
        "title": item.title,
        "project": item.project,
        "status": item.job.get_status_display(),  # type: ignore[attr-defined]
    }


def _best(job: Any) -> str:
    """Return the best figure of a training; nothing of other jobs."""
    best = getattr(job, "best", None) or {}
    if best.get("map50") is None:
        return ""
    figures = {"map50": f"{best['map50']:.2f}", "epoch": best.get("epoch", "?")}
    return _("Best result: mAP50 %(map50)s in epoch %(epoch)s.") % figures


def _address(path: str) -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"
