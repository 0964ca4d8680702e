"""What Custom Vision says of a project, as plain data: by its API, or in a file somebody saved."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class RemoteTag:
    """A tag; `kind` is Regular, Negative or GeneralProduct."""

    id: str
    name: str
    kind: str
    images: int


@dataclass(frozen=True, slots=True)
class RemoteRegion:
    """A box as it is drawn there: shares of the picture's sides, from the top left corner."""

    tag_id: str
    left: Any
    top: Any
    width: Any
    height: Any


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """A picture, before its bytes are fetched; `uri` is signed and must not be stored."""

    id: str
    width: int
    height: int
    uri: str
    tag_ids: tuple[str, ...]
    regions: tuple[RemoteRegion, ...]


@dataclass(frozen=True)
class RemoteProject:
    """A project of object detection."""

    name: str
    domain: str


@dataclass(frozen=True)
class Counts:
    """Pictures in the workspace."""

    tagged: int
    untagged: int


@dataclass(frozen=True)
class Iteration:
    """A model that was trained there and published under a name."""

    id: str
    name: str
    published_as: str
    trained_at: datetime | None


@dataclass(frozen=True)
class Baseline:
    """What a published iteration reaches by its own measure, on pictures it was trained with.

    Attributes:
        classes: rows `{"name", "precision", "recall", "average_precision"}`.
    """

    name: str
    published_as: str
    trained_at: datetime | None
    precision: float | None
    recall: float | None
    average_precision: float | None
    classes: tuple[dict[str, Any], ...]
