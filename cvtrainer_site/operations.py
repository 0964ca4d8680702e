"""The pages of those who run the portal: workers and queues; for staff alone."""

from collections.abc import Callable
from functools import wraps
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from cvtrainer_site import activity
from cvtrainer_site.phases import STOP_POLLING, queue_labels
from jobs.registry import job_models
from jobs.states import Status
from jobs.work_at_hand import AtHand, work_at_hand
from jobs.worker_rows import STANDINGS, Worker
from jobs.worker_wishes import drain_worker, undrain_worker
from projects.pages import current_user
from training.fleet import waiting_by_class
from training.gpu_classes import CPU
from training.models import TrainingRun

View = Callable[..., HttpResponse]


def staff_only(view: View) -> View:
    """Show a page to staff; to everybody else who is signed in there is none."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        user: Any = request.user
        if user.is_authenticated and not user.is_staff:
            raise Http404
        return view(request, *args, **kwargs)

    return checked


@require_safe
@staff_only
@login_required
def worker_list(request: HttpRequest) -> HttpResponse:
    """Show all workers, by host: card, what they do since when; and what waits for them."""
    return render(request, "operations/workers.html", _shown(request))


@require_safe
@staff_only
def worker_rows(request: HttpRequest) -> HttpResponse:
    """Draw them again; the page asks every few seconds."""
    if not request.user.is_authenticated:
        return HttpResponse(status=STOP_POLLING)
    return render(request, "operations/_workers.html", _shown(request))


@require_POST
@staff_only
@login_required
def worker_drain(request: HttpRequest, worker_id: UUID) -> HttpResponse:
    """Have a worker take nothing more (`how` is after or now), or work again."""
    how = request.POST.get("how", "")
    if how in {"after", "now"}:
        user = current_user(request)
        is_there = drain_worker(worker_id=worker_id, user=user, at_once=how == "now")
    else:
        is_there = undrain_worker(worker_id=worker_id)
    if not is_there:
        messages.warning(request, _("This worker is not there any more."))
    return redirect("worker_list")


def _shown(request: HttpRequest) -> dict[str, Any]:
    workers = list(Worker.objects.with_standing().select_related("drained_by"))
    at_hand = work_at_hand(workers, request.user, related=activity.RELATED)
    rows = [
        {
            "worker": worker,
            "label": STANDINGS[worker.standing],
            "kind": queue_labels()[worker.queue],
            "doing": [_said(found) for found in at_hand.get(worker.name, [])],
        }
        for worker in workers
    ]
    hosts = groupby(rows, key=lambda row: row["worker"].host)
    return {
        "hosts": [(host, list(found)) for host, found in hosts],
        "waiting": _waiting(),
        "queues": list(settings.RQ_QUEUES),
    }


def _said(found: AtHand) -> activity.Item | None:
    return activity.item_of(found.job) if found.job is not None else None


def _waiting() -> list[tuple[str | Promise, str, int]]:
    """Return how many jobs wait: of trainings for each class of cards, of others in each queue."""
    labels, training = queue_labels(), TrainingRun.queue
    others = dict.fromkeys((queue for queue in settings.RQ_QUEUES if queue != training), 0)
    for model in job_models():
        if model.queue != training:
            others[model.queue] += model.objects.filter(status=Status.QUEUED).count()
    by_class = sorted({"": 0, **waiting_by_class()}.items())
    return [
        *((labels[training], _class_label(name), count) for name, count in by_class),
        *((labels[queue], "", count) for queue, count in others.items()),
    ]


def _class_label(name: str) -> str:
    if not name:
        return _("any card")
    return _("CPU only") if name == CPU else name.upper()
