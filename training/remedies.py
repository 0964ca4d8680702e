"""What a person can do about a run that ended badly, each as one click: by code and by the run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid5

from django.db import IntegrityError
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.models import User
from jobs.errors import UserError
from jobs.states import RETRIABLE, Status
from training import services
from training.base_models import BASE_MODELS, SCRATCH
from training.models import TrainingRun
from training.options import OPTIONS
from training.resuming import batch_in_use

_SMALLEST_IMAGE = 64


@dataclass(frozen=True)
class Remedy:
    """One thing to do: go on with changes, start anew with changes, or look at a page.

    Attributes:
        changes: of the run's options; for a new run any of them, `base_model` too.
    """

    run: TrainingRun
    code: str
    label: str
    act: Literal["go_on", "start_anew", "open"]
    changes: dict[str, Any] = field(default_factory=dict)
    page: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it as the API gives it: a request that does it."""
        method, url, body = "GET", self.page, {}
        if self.act == "go_on":
            method, url, body = "POST", reverse("run-resume", args=[self.run.pk]), self.changes
        if self.act == "start_anew":
            body = services.duplicate_run(self.run)
            inner = {name: v for name, v in self.changes.items() if name in body["advanced"]}
            body |= {name: v for name, v in self.changes.items() if name not in inner}
            body["advanced"] |= inner
            method, url = "POST", reverse("run-list")
        return {"code": self.code, "label": self.label, "method": method, "url": url, "body": body}

    def apply(self, user: User) -> TrainingRun:
        """Do it, and return the run to look at; done twice, it is the same run.

        Raises:
            UserError: it cannot be done any more.
        """
        if self.act == "go_on":
            changes = dict(self.changes)
            finish = bool(changes.pop("finish", False))
            services.resume_run(run=self.run, changes=changes, finish=finish)
            return self.run
        key = uuid5(self.run.pk, f"{self.run.attempt} {self.code}")
        try:
            return services.repeat_run(run=self.run, user=user, changes=self.changes, key=key)
        except IntegrityError:  # the same button, a moment earlier
            return TrainingRun.objects.get(pk=key)


def remedies_for(run: TrainingRun) -> list[Remedy]:
    """Return what can be done about a run that failed, was canceled or lies aside, best first."""
    if run.status not in RETRIABLE and not run.is_paused:
        return []
    code = str((run.error or {}).get("code", "")) if run.status == Status.FAILED else ""
    makers = _BY_CODE.get(code, _USUAL)
    return [found for make in makers if (found := make(run)) is not None]


def remedy(run: TrainingRun, code: str) -> Remedy:
    """Return one of them.

    Raises:
        UserError: `not_resumable`, it is none of those that the run has now.
    """
    for found in remedies_for(run):
        if found.code == code and found.act != "open":
            return found
    raise UserError("not_resumable")


def _go_on(run: TrainingRun) -> Remedy | None:
    label = _("Go on from epoch {n}").format(n=run.epoch) if run.epoch else _("Try again")
    return Remedy(run, "go_on", label, "go_on") if _can_start(run) else None


def _finish(run: TrainingRun) -> Remedy | None:
    if not run.epoch:
        return None
    label = _("Keep the best model so far")
    return Remedy(run, "finish", label, "go_on", {"finish": True})


def _smaller_batch(run: TrainingRun) -> Remedy | None:
    batch = batch_in_use(run) // 2
    if not batch or not _can_start(run):
        return None
    text = _("Go on with batch {batch}") if run.epoch else _("Retry with batch {batch}")
    return Remedy(run, "smaller_batch", text.format(batch=batch), "go_on", {"batch": batch})


def _smaller_images(run: TrainingRun) -> Remedy | None:
    size = int(run.used_options["imgsz"]) * 3 // 4 // 32 * 32
    if size < _SMALLEST_IMAGE or not _can_start(run):
        return None
    text = _("Go on with image size {size}") if run.epoch else _("Retry with image size {size}")
    return Remedy(run, "smaller_images", text.format(size=size), "go_on", {"imgsz": size})


def _lower_rate(run: TrainingRun) -> Remedy | None:
    """Start anew with a tenth of the rate that was used; chosen by hand, so it is heeded."""
    optimizer = str(run.environment.get("optimizer") or run.options["optimizer"])
    known = {value for value, _label in OPTIONS["optimizer"].choices}
    rate = float(f"{float(run.environment.get('lr0') or run.options['lr0']) / 10:.2g}")
    least = OPTIONS["lr0"].minimum
    if optimizer == "auto" or optimizer not in known or least is None or rate < least:
        return None
    if not _can_repeat(run):
        return None
    label = _("Start anew with an initial learning rate of {rate}").format(rate=f"{rate:g}")
    changes = {"optimizer": optimizer, "lr0": rate}
    return Remedy(run, "lower_rate", label, "start_anew", changes)


def _repeat(run: TrainingRun) -> Remedy | None:
    if not _can_repeat(run):
        return None
    return Remedy(run, "start_anew", _("Start anew with the same settings"), "start_anew")


def _from_scratch(run: TrainingRun) -> Remedy | None:
    name = f"{run.base_model}{SCRATCH}"
    if name not in BASE_MODELS:
        return None
    label = _("Start anew without pretrained weights")
    return Remedy(run, "from_scratch", label, "start_anew", {"base_model": name})


def _other_base_model(run: TrainingRun) -> Remedy | None:
    page = f"{reverse('training:run_create', args=[run.project_id])}?from={run.pk}"
    return Remedy(run, "other_base_model", _("Choose another base model"), "open", page=page)


def _import_again(run: TrainingRun) -> Remedy | None:
    page = reverse("datasets:import_create", args=[run.project_id])
    return Remedy(run, "import_again", _("Import the data again"), "open", page=page)


def _can_start(run: TrainingRun) -> bool:
    """Whether there is something to begin or go on from: a checkpoint holds all that it needs."""
    return bool(run.epoch) or _can_repeat(run)


def _can_repeat(run: TrainingRun) -> bool:
    return run.start_model_id is not None or run.base_model in BASE_MODELS


Maker = Callable[[TrainingRun], Remedy | None]
_USUAL: tuple[Maker, ...] = (_go_on, _finish)
_BY_CODE: dict[str, tuple[Maker, ...]] = {
    "out_of_memory": (_smaller_batch, _smaller_images, _other_base_model, _finish),
    "host_out_of_memory": (_smaller_batch, _smaller_images, _finish),
    "trainer_crashed": (_go_on, _smaller_batch, _finish),
    "trainer_hung": (_go_on, _finish),
    "trainer_failed": (_go_on, _repeat, _finish),
    "internal": (_go_on, _repeat, _finish),
    "diverged": (_lower_rate, _finish),
    "data_error": (_import_again, _go_on),
    "version_changed": (_import_again,),
    "picture_missing": (_import_again, _go_on),
    "stored_file_damaged": (_import_again, _go_on),
    "weights_missing": (_from_scratch, _other_base_model, _go_on),
    "weights_unreadable": (_other_base_model, _from_scratch),
    "start_model_gone": (_other_base_model,),
    "checkpoint_unreadable": (_repeat,),
    "no_epoch_to_keep": (_go_on, _repeat),
}
