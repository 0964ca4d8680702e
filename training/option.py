"""One parameter of a training: how it is shown, and how a value for it is read and checked."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _

Text = str | Promise
Value = int | float | bool | str

_INTEGER = re.compile(r"[+-]?[0-9]{1,12}")
_NUMBER = re.compile(r"[+-]?([0-9]{1,12}(\.[0-9]{0,16})?|\.[0-9]{1,16})([eE][+-]?[0-9]{1,3})?")
_TRUE, _FALSE = {"true", "on", "1", "yes"}, {"false", "off", "0", "no"}


@dataclass(frozen=True)
class OptionError:
    """Why a value was refused: `field` names it, `params` hold its range for another language."""

    field: str
    code: str
    detail: str
    params: Mapping[str, Any]


class InvalidOptionsError(Exception):
    """One or more values were refused; nothing was changed.

    Args:
        errors: every refused value, in the order of the options.
    """

    def __init__(self, errors: list[OptionError]) -> None:
        super().__init__("; ".join(f"{error.field}: {error.detail}" for error in errors))
        self.errors = errors


class RefusedValueError(Exception):
    """A single value is not acceptable; becomes an OptionError with the name of its option."""

    def __init__(self, code: str, detail: str, **params: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.params = params


@dataclass(frozen=True, kw_only=True)
class Option:
    """A parameter that a person may set.

    Attributes:
        special: values outside the range with a meaning of their own, as {value: label}.
        multiple_of: integers must be a multiple of it.
    """

    name: str
    label: Text
    help: Text
    type: Literal["integer", "number", "boolean", "choice"]
    default: Value
    group: Literal["basic", "advanced"]
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[tuple[str, Text], ...] = ()
    special: Mapping[int, Text] = field(default_factory=dict)
    multiple_of: int = 1

    def as_json(self) -> dict[str, Any]:
        """Return what the API tells about the option, in the active language."""
        return {
            "name": self.name,
            "label": str(self.label),
            "help": str(self.help),
            "type": self.type,
            "default": self.default,
            "minimum": self.minimum,
            "maximum": self.maximum,
            "choices": [{"value": value, "label": str(text)} for value, text in self.choices],
            "group": self.group,
            "special": [
                {"value": value, "label": str(text)} for value, text in self.special.items()
            ],
            "multiple_of": self.multiple_of,
        }

    def parse(self, raw: object) -> Value:
        """Return a checked value from JSON or a form; nothing given means the default.

        Raises:
            RefusedValueError: wrong type, not finite, out of range, or not one of the choices.
        """
        if raw is None or raw == "":
            return self.default
        if self.type == "boolean":
            return _boolean(raw)
        if self.type == "choice":
            return self._choice(raw)
        value = _integer(raw) if self.type == "integer" else _number(raw)
        return self._in_range(value)

    def _choice(self, raw: object) -> str:
        known = {value.lower(): value for value, _text in self.choices}
        if not isinstance(raw, str) or raw.lower() not in known:
            allowed = list(known.values())
            detail = _("Choose one of: {choices}.").format(choices=", ".join(allowed))
            raise RefusedValueError("not_a_choice", detail, choices=allowed)
        return known[raw.lower()]

    def _in_range(self, value: int | float) -> int | float:
        if value in self.special:
            return value
        low, high = self.minimum, self.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            params: dict[str, Any] = {"minimum": low, "maximum": high}
            detail = _("Must be between {minimum} and {maximum}.").format(**params)
            if self.special:
                params["special"] = list(self.special)
                others = ", ".join(f"{item} ({text})" for item, text in self.special.items())
                detail = _("Must be between {minimum} and {maximum}, or {others}.").format(
                    minimum=low, maximum=high, others=others
                )
            raise RefusedValueError("out_of_range", detail, **params)
        if self.multiple_of > 1 and value % self.multiple_of:
            params = {"multiple_of": self.multiple_of, "minimum": low, "maximum": high}
            detail = _("Must be a multiple of {multiple_of}, between {minimum} and {maximum}.")
            raise RefusedValueError("not_a_multiple", detail.format(**params), **params)
        return value


def _integer(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, float) and raw.is_integer():
        return int(raw)
    if isinstance(raw, str) and _INTEGER.fullmatch(raw.strip()):
        return int(raw)
    raise RefusedValueError("not_an_integer", _("Must be a whole number."))


def _number(raw: object) -> float:
    wrong = RefusedValueError("not_a_number", _("Must be a number."))
    if isinstance(raw, bool):
        raise wrong
    if isinstance(raw, str) and _NUMBER.fullmatch(raw.strip()):
        raw = float(raw)
    if not isinstance(raw, int | float):
        raise wrong
    try:
        value = float(raw)
    except OverflowError:  # JSON has integers of any length: let the range refuse it
        value = 1e300 if raw > 0 else -1e300
    if not math.isfinite(value):
        raise wrong
    return value


def _boolean(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str) and raw.lower() in _TRUE | _FALSE:
        return raw.lower() in _TRUE
    raise RefusedValueError("not_a_boolean", _("Must be yes or no."))
