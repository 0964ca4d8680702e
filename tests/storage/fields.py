"""A model's file field without a model."""

from dataclasses import dataclass

from django.core.files.storage import Storage


@dataclass
class Field:
    """What a model's file field is to the storage."""

    storage: Storage
    name: str = "weights/best.pt"
