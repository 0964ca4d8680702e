"""Why a run that brought a model ended before its last epoch, as pages and letters tell it."""

from typing import Any

from django.utils.formats import localize
from django.utils.translation import gettext

from training.messages import Message
from training.models import TrainingRun

Reason = TrainingRun.StopReason


def stop_reason(done: Message, *, is_time_up: bool) -> Reason | None:
    """Return why a training ended early, by the trainer's last word; None where it did not.

    Args:
        is_time_up: whether the trainer was stopped for its time: it hears the same word then as
            where a person asks.
    """
    if not done["stopped_early"]:
        return None
    if done["stop_reason"] == Reason.PATIENCE:
        return Reason.PATIENCE
    return Reason.TIME_LIMIT if is_time_up else Reason.ASKED


def told_early_end(run: TrainingRun) -> str:
    """Return the sentence that tells why and when a run ended early; nothing where it did not."""
    if not run.stopped_early:
        return ""
    options = run.used_options
    values: dict[str, Any] = {
        "done": localize(run.epoch),
        "epochs": localize(options.get("epochs")),
        "patience": localize(options.get("patience")),
        "hours": localize(round(float(options.get("time_limit") or 0), 2)),
    }
    return _form(run).format(**values)


def _form(run: TrainingRun) -> str:
    match run.stop_reason:
        case Reason.ASKED:
            return gettext(
                "It was stopped on request after {done} of {epochs} epochs;"
                " the best model was kept."
            )
        case Reason.TIME_LIMIT:
            return gettext(
                "It ended early, after {done} of {epochs} epochs, at its time limit"
                " ({hours} h); the best model was kept."
            )
        case Reason.PATIENCE:
            return gettext(
                "It ended early, after {done} of {epochs} epochs, because it had not become better"
                " for {patience} epochs; the best model was kept."
            )
        case _:  # a run of an earlier release, of which nobody noted it
            return gettext(
                "It ended early, after {done} of {epochs} epochs; the best model was kept."
            )
