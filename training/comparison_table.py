"""The rows of a comparison as its page shows them: numbers in the reader's language."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.humanize.templatetags.humanize import intcomma
from django.template.defaultfilters import floatformat
from django.utils.translation import gettext as _

from training.comparison import Comparison, Row
from training.forms import shown_number
from training.option import Text
from training.options import OPTIONS

NOTHING = "–"
_SHOWN_DIGITS = 12
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True)
class Cell:
    """What one run has to say; `full` is what is too long to be shown."""

    text: str
    is_best: bool = False
    has_no_effect: bool = False
    full: str = ""


@dataclass(frozen=True)
class Line:
    """A row with a cell for each run."""

    name: str
    label: Text
    cells: list[Cell]
    is_different: bool


@dataclass(frozen=True)
class Tables:
    """All tables of the page; of parameters and data, those rows that are alike are folded."""

    figures: list[Line]
    classes: list[Line]
    parameters: list[Line]
    same_parameters: list[Line]
    data: list[Line]
    machine: list[Line]


def tables_of(found: Comparison) -> Tables:
    """Return the tables of a comparison."""
    parameters = [_line(row, _setting(row.name)) for row in found.parameters]
    return Tables(
        figures=[_counts(found), *(_line(row, _figure) for row in found.figures[1:])],
        classes=[_line(row, _figure) for row in found.classes],
        parameters=[line for line in parameters if line.is_different],
        same_parameters=[line for line in parameters if not line.is_different],
        data=[_line(row, _plain) for row in found.data],
        machine=[_line(row, _MACHINE.get(row.name, _plain)) for row in found.machine],
    )


def duration(seconds: float) -> str:
    """Return how long something took, in the two largest units."""
    if seconds < 2 * _MINUTE:
        return _("{n} s").format(n=floatformat(seconds, 1 if seconds < 10 else 0))
    minutes = round(seconds / _MINUTE)
    if seconds < 2 * _HOUR:
        return _("{n} min").format(n=minutes)
    return _("{h} h {m} min").format(h=minutes // 60, m=minutes % 60)


def _counts(found: Comparison) -> Line:
    """Return the counts in words that people use: 46 of 50 pictures."""
    row = found.figures[0]
    best = [run.best or {} for run in found.runs]
    texts = [
        _("{right} of {total}").format(
            right=intcomma(one["images_right"]), total=intcomma(one["images"])
        )
        if one.get("images")
        else NOTHING
        for one in best
    ]
    cells = [Cell(text, is_best=index in row.best) for index, text in enumerate(texts)]
    return Line(row.name, row.label, cells, row.is_different)


def _line(row: Row, show: Callable[[Any], str]) -> Line:
    cells = []
    for index, value in enumerate(row.values):
        text = NOTHING if value is None or value == "" else show(value)
        full = text if row.name == "fingerprint" and text != NOTHING else ""
        cells.append(
            Cell(
                text=f"{text[:_SHOWN_DIGITS]}…" if full else text,
                is_best=index in row.best,
                has_no_effect=index in row.no_effect,
                full=full,
            )
        )
    return Line(row.name, row.label, cells, row.is_different)


def _figure(value: Any) -> str:
    return str(floatformat(value, 3))


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(value)
    return str(intcomma(value)) if isinstance(value, int) else str(value)


def _setting(name: str) -> Callable[[Any], str]:
    """Return how a parameter is shown: a choice by its label, a number as people read it."""
    option = OPTIONS.get(name)
    known = {str(value): str(text) for value, text in option.choices} if option else {}
    if option is not None:
        known |= {str(value): f"{value} ({text})" for value, text in option.special.items()}

    def show(value: Any) -> str:
        if str(value) in known:
            return known[str(value)]
        return shown_number(value) if isinstance(value, float) else _plain(value)

    return show


def _rounded(value: Any) -> str:
    return str(intcomma(round(value)))


def _megabytes(value: Any) -> str:
    return f"{intcomma(round(value))} MB"


_MACHINE: dict[str, Callable[[Any], str]] = {
    "training_seconds": duration,
    "seconds_per_epoch": duration,
    "images_per_second": _rounded,
    "gpu_memory_mb": _megabytes,
}
