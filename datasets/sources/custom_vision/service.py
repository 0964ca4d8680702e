"""What the import needs of Custom Vision's API, as plain data."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient
from msrest.authentication import ApiKeyCredentials

from datasets.names import LONGEST_CLASS, printable
from datasets.sources.custom_vision.address import Address
from datasets.sources.custom_vision.calls import BrokenAnswer, Calls, Wait
from datasets.sources.custom_vision.remote import (
    Baseline,
    Counts,
    Iteration,
    RemoteImage,
    RemoteProject,
    RemoteRegion,
    RemoteTag,
)
from jobs.errors import UserError

#: Seconds for what an import can do without.
_PATIENCE_FOR_MORE = 60.0
#: Of one listing, by the API.
MAX_PAGE = 256
#: Ids of one question: 256 would make an address of ten thousand characters.
MAX_IDS = 64
_DETECTION = "ObjectDetection"
#: At which the portal shows the performance of an iteration before somebody moves its sliders.
THRESHOLD, OVERLAP = 0.5, 0.3


class Service:
    """Reads one project; it never writes."""

    def __init__(self, address: Address, key: str, *, wait: Wait, patience: float) -> None:
        """Make a client of an address that was checked (address.understand).

        Args:
            key: the training key; it goes into the header of each call, and nowhere else.
            wait: see calls.Calls.
            patience: see calls.Calls.
        """
        self.project_id = address.project
        credentials = ApiKeyCredentials(in_headers={"Training-Key": key})
        self._api = CustomVisionTrainingClient(address.endpoint, credentials)
        self._calls = Calls(self._api, wait=wait, patience=patience)

    def project(self) -> RemoteProject:
        """Return the project.

        Raises:
            UserError: it is unknown, or one of classification.
        """
        found = self._ask(self._api.get_project)
        domain = self._whole(self._api.get_domain, getattr(found.settings, "domain_id", None) or "")
        if domain.type != _DETECTION:
            raise UserError("custom_vision_classification")
        return RemoteProject(str(found.name or ""), str(domain.name or ""))

    def tags(self) -> list[RemoteTag]:
        """Return the tags in an order of our own: none is promised."""
        rows = [
            RemoteTag(str(tag.id), str(tag.name or ""), str(tag.type or ""), tag.image_count or 0)
            for tag in self._ask(self._api.get_tags)
            if tag.id
        ]
        return sorted(rows, key=lambda tag: (tag.name.casefold(), tag.name, tag.id))

    def counts(self) -> Counts:
        """Return how many pictures the workspace holds."""
        tagged = self._ask(self._api.get_tagged_image_count)
        return Counts(int(tagged or 0), int(self._ask(self._api.get_untagged_image_count) or 0))

    def page(self, *, is_tagged: bool, skip: int, take: int) -> list[RemoteImage | None]:
        """Return some pictures, the oldest first: new ones do not move those.

        None stands for an entry without an id.

        Raises:
            BrokenAnswer: one of them cannot be read, and with it the page.
        """
        listing = self._api.get_tagged_images if is_tagged else self._api.get_untagged_images
        call = self._calls.make
        rows = call(listing, self.project_id, order_by="Oldest", take=take, skip=skip)
        return [_image(row) if row.id else None for row in rows or ()]

    def again(self, ids: Sequence[str]) -> dict[str, str]:
        """Return addresses that are signed anew, by the ids of pictures.

        Those of pictures that are gone are missing; that of one whose entry cannot be read is
        empty.

        Raises:
            UserError: they cannot be had.
        """
        found: dict[str, str] = {}
        for start in range(0, len(ids), MAX_IDS):
            found |= self._again(list(ids[start : start + MAX_IDS]))
        return found

    def artifact(self, path: str) -> bytes:
        """Return a file of a project in a private network, whose addresses are relative.

        Safe for several threads; raises what calls.Calls.beside does.
        """
        return self._calls.beside(self._whole_artifact, path)

    def iterations(self) -> list[Iteration]:
        """Return the published iterations, the newest first.

        Raises:
            UserError: they cannot be had.
        """
        rows = self._ask(self._api.get_iterations, patience=_PATIENCE_FOR_MORE)
        published = [row for row in rows or () if row.id and row.publish_name]
        published.sort(key=lambda row: str(row.trained_at or ""), reverse=True)
        return [
            Iteration(str(row.id), _name(row.name), _name(row.publish_name), row.trained_at)
            for row in published
        ]

    def baseline(self, iteration: Iteration) -> Baseline:
        """Return what one of `iterations` reaches.

        Raises:
            UserError: that cannot be had.
        """
        found = self._ask(
            self._api.get_iteration_performance,
            iteration.id,
            threshold=THRESHOLD,
            overlap_threshold=OVERLAP,
            patience=_PATIENCE_FOR_MORE,
        )
        return Baseline(
            name=iteration.name,
            published_as=iteration.published_as,
            trained_at=iteration.trained_at,
            precision=_share(found.precision),
            recall=_share(found.recall),
            average_precision=_share(found.average_precision),
            classes=tuple(map(_tag_performance, found.per_tag_performance or ())),
        )

    def _again(self, ids: list[str]) -> dict[str, str]:
        """Ask for pictures; where one spoils the answer, for each half of them."""
        try:
            rows = self._calls.make(self._api.get_images_by_ids, self.project_id, image_ids=ids)
        except BrokenAnswer:
            if len(ids) == 1:
                return {ids[0]: ""}
            half = len(ids) // 2
            return {**self._again(ids[:half]), **self._again(ids[half:])}
        return {image.id: image.uri for image in map(_image, rows or ()) if image.id}

    def _whole_artifact(self, path: str) -> bytes:
        return b"".join(self._api.get_artifact(self.project_id, path))

    def _ask(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return self._whole(call, self.project_id, *args, **kwargs)

    def _whole(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        """Make a call whose answer is no good unless it is whole."""
        try:
            return self._calls.make(call, *args, **kwargs)
        except BrokenAnswer as error:
            raise UserError("custom_vision_answer") from error


def _image(row: Any) -> RemoteImage:
    return RemoteImage(
        id=str(row.id or ""),
        width=row.width or 0,
        height=row.height or 0,
        uri=str(row.original_image_uri or ""),
        tag_ids=tuple(_ids(row.tags)),
        regions=tuple(
            RemoteRegion(str(r.tag_id or ""), r.left, r.top, r.width, r.height)
            for r in row.regions or ()
        ),
    )


def _ids(rows: Iterable[Any] | None) -> Iterable[str]:
    return (str(row.tag_id) for row in rows or () if row.tag_id)


def _tag_performance(row: Any) -> dict[str, Any]:
    return {
        "name": _name(row.name),
        "precision": _share(row.precision),
        "recall": _share(row.recall),
        "average_precision": _share(row.average_precision),
    }


def _name(given: Any) -> str:
    return printable(str(given or ""))[:LONGEST_CLASS]


def _share(given: Any) -> float | None:
    """Return a figure; nothing where it is none, as of a tag that nothing was tested with."""
    is_number = isinstance(given, int | float) and math.isfinite(given)
    return float(given) if is_number else None
