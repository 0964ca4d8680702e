"""Values of parameters as people read them."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from training.forms import shown_number

register = template.Library()


@register.filter
def setting(value: Any) -> str:
    """Return a parameter's value: yes or no, a number as people read it, or a name."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return shown_number(value) if isinstance(value, float) else str(value)


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
