"""What may be other when a run goes on: what the library takes in the middle of a training."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from training.models import TrainingRun
from training.option import InvalidOptionsError, OptionError, RefusedValueError
from training.options import OPTIONS, Options

CHANGEABLE = ("batch", "imgsz", "patience")


def validate_changes(run: TrainingRun, raw: Mapping[str, Any]) -> Options:
    """Return the options of a run that shall be other from now on, checked.

    Raises:
        InvalidOptionsError: one cannot be changed any more, or is out of its range.
    """
    checked: Options = {}
    errors: list[OptionError] = []
    for name, value in raw.items():
        try:
            checked[name] = _checked(run, name, value)
        except RefusedValueError as refused:
            errors.append(OptionError(name, refused.code, refused.detail, refused.params))
    if errors:
        raise InvalidOptionsError(errors)
    return checked


def _checked(run: TrainingRun, name: str, raw: object) -> Any:
    if name not in CHANGEABLE:
        raise RefusedValueError("settled", _("This cannot be changed once a training has begun."))
    value = OPTIONS[name].parse(raw)
    largest = batch_in_use(run) if name == "batch" and run.epoch else 0
    if largest and not 1 <= int(value) <= largest:
        # The library keeps the smaller one of what is asked for and what was used.
        detail = _("Must be between {minimum} and {maximum}.")
        limits = {"minimum": 1, "maximum": largest}
        raise RefusedValueError("out_of_range", detail.format(**limits), **limits)
    return value


def batch_in_use(run: TrainingRun) -> int:
    """Return the batch that the trainer last said it uses, else the one asked for; 0: automatic."""
    asked = int(run.used_options["batch"])
    return int(run.environment.get("batch") or max(asked, 0))
