"""What pages show of a version at a glance: its classes and its first pictures."""

from typing import Any

from django.http import QueryDict

from datasets.class_table import class_table
from datasets.gallery import Filters, shape_of
from datasets.models import DatasetVersion

_TILES = 12


def preview_of(version: DatasetVersion) -> dict[str, Any]:
    """Return the class table and the first pictures of a version."""
    filters = Filters(version, QueryDict())
    chosen = filters.selection
    tiles = [filters.tile(image) for image in chosen.images_at(chosen.positions()[:_TILES])]
    return {"classes": class_table(version), "tiles": tiles, "shape": shape_of(tiles)}
