"""Fetches pictures of private networks: their addresses are paths, and the API hands them out."""

from datasets.sources.base import SourceLost
from datasets.sources.custom_vision.calls import (
    THROTTLED,
    AnswerTooLarge,
    AnswerTooSlow,
    BrokenAnswer,
    Refused,
)
from datasets.sources.custom_vision.service import Service
from datasets.sources.custom_vision.tries import Tries, Unlucky, failure
from jobs.errors import UserError


class ArtifactClient:
    """Fetches pictures by their paths, with the key and at the pace of the API; for threads."""

    def __init__(self, service: Service) -> None:
        """Set up a client.

        Args:
            service: of the project.
        """
        self._service = service
        self._tries = Tries()

    def stop(self) -> None:
        """Let no thread wait any longer."""
        self._tries.stop()

    def fetch(self, path: str) -> bytes:
        """Return a picture.

        Raises:
            LinkExpired: ask for a new path (tries.py).
            SourceLost: nor can any other.
            UserError: it cannot be had; the code tells why.
        """
        return self._tries.insist(lambda: self._once(path))

    def _once(self, path: str) -> bytes:
        try:
            return self._service.artifact(path)
        except AnswerTooLarge as error:
            raise UserError("remote_picture_too_large") from error
        except (AnswerTooSlow, BrokenAnswer) as error:
            raise Unlucky from error
        except Refused as refused:
            if refused.status == THROTTLED:
                # They were waited for, long enough: it is not this picture.
                raise SourceLost("custom_vision_throttled") from None
            raise failure(refused.status, refused.seconds) from None
