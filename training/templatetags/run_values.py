"""Values of parameters, times and costs as people read them."""

from typing import Any

from django import template
from django.conf import settings
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from training.forms import shown_number

register = template.Library()


@register.filter
def setting(value: Any) -> str:
    """Return a parameter's value: yes or no, a number as people read it, or a name."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return shown_number(value) if isinstance(value, float) else str(value)


@register.filter
def duration(seconds: float) -> str:
    """Return a time in its two largest units: 40 seconds, 3 minutes, 1 hour 20 minutes."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return _counted("second", max(1, round(seconds)))
    if minutes < 60:
        return _counted("minute", minutes)
    hours, rest = divmod(minutes, 60)
    parts = [_counted("hour", hours), *([_counted("minute", rest)] if rest else [])]
    return " ".join(parts)


def _counted(unit: str, number: int) -> str:
    texts = {
        "second": ngettext("%(n)d second", "%(n)d seconds", number),
        "minute": ngettext("%(n)d minute", "%(n)d minutes", number),
        "hour": ngettext("%(n)d hour", "%(n)d hours", number),
    }
    return texts[unit] % {"n": number}


@register.filter
def gigabytes(megabytes: int) -> str:
    """Return memory in GB, with one digit."""
    return number_format(megabytes / 1024, decimal_pos=1)


@register.filter
def money(amount: float) -> str:
    """Return a price in the currency of the settings."""
    return f"{number_format(amount, decimal_pos=2, force_grouping=True)} {settings.CURRENCY}"


#: Where what a library calls itself is not its name with a capital.
_LIBRARIES = {
    "torch": "PyTorch",
    "opencv": "OpenCV",
    "numpy": "NumPy",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
    "torchvision": "torchvision",
}


@register.filter
def library(name: str) -> str:
    """Return a library as it writes itself."""
    return _LIBRARIES.get(name, name.capitalize())
