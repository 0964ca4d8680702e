"""Datasets, their immutable versions, the pictures in them, and the imports that made them."""

from datasets.models.imports import (
    Import,
    ImportEvent,
    ImportSecret,
    RemotePicture,
    uploads_storage,
)
from datasets.models.pictures import Picture, images_storage
from datasets.models.uploads import Upload
from datasets.models.versions import (
    Dataset,
    DatasetClass,
    DatasetImage,
    DatasetVersion,
    ImageClass,
    ImageProblem,
    ImageQuerySet,
)

__all__ = [
    "Dataset",
    "DatasetClass",
    "DatasetImage",
    "DatasetVersion",
    "ImageClass",
    "ImageProblem",
    "ImageQuerySet",
    "Import",
    "ImportEvent",
    "ImportSecret",
    "Picture",
    "RemotePicture",
    "Upload",
    "images_storage",
    "uploads_storage",
]
