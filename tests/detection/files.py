"""Pictures to send, and what is stored of them."""

from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile

from detection.models import detections_storage
from tests.factories import make_picture


def sent(name: str = "kệ.jpg", content: bytes | None = None) -> SimpleUploadedFile:
    """Return a picture as a form sends it."""
    return SimpleUploadedFile(name, content or make_picture((96, 64)))


def stored() -> set[str]:
    """Return the paths of all files of detections."""
    folder = Path(detections_storage().path("detections"))
    return {str(path) for path in folder.rglob("*") if path.is_file()}
