"""Where pictures of a version are served."""

from typing import Any

from django import template
from django.urls import reverse

register = template.Library()


@register.filter
def picture_url(image: Any) -> str:
    """Return the address of an image's picture."""
    return reverse("image-file", args=[image.pk])


@register.filter
def thumbnail_url(image: Any) -> str:
    """Return the address of an image's thumbnail."""
    return reverse("image-thumbnail", args=[image.pk])
