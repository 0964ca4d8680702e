"""Fetches pictures wherever Custom Vision says they are: in blob storage, or behind its API."""

from urllib.parse import urlsplit

from datasets.sources.custom_vision.artifacts import ArtifactClient
from datasets.sources.custom_vision.downloads import PictureClient
from datasets.sources.custom_vision.service import Service


class Fetcher:
    """Fetches pictures of one project; safe for several threads."""

    def __init__(self, service: Service, pictures: PictureClient) -> None:
        """Set up.

        Args:
            service: of the project.
            pictures: fetches what lies in blob storage.
        """
        self._pictures, self._artifacts = pictures, ArtifactClient(service)

    def stop(self) -> None:
        """Let no thread wait any longer."""
        self._pictures.stop()
        self._artifacts.stop()

    def fetch(self, uri: str) -> bytes:
        """Return a picture.

        Raises:
            LinkExpired: ask for a new address (tries.py).
            SourceLost: nor can any other.
            UserError: it cannot be had; the code tells why.
        """
        client = self._artifacts if is_relative(uri) else self._pictures
        return client.fetch(uri)


def is_relative(uri: str) -> bool:
    """Tell whether an address names only a path, as projects in private networks give it."""
    try:
        url = urlsplit(uri)
    except ValueError:
        return False
    return bool(uri) and not url.scheme and not url.netloc
