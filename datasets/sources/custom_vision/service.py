"""What the import needs of Custom Vision's API, as plain data."""

from collections.abc import Iterable, Sequence
from typing import Any

from azure.cognitiveservices.vision.customvision.training import CustomVisionTrainingClient
from msrest.authentication import ApiKeyCredentials

from datasets.sources.custom_vision.address import Address
from datasets.sources.custom_vision.calls import BrokenAnswer, Calls, Wait
from datasets.sources.custom_vision.remote import (
    Baseline,
    Counts,
    RemoteImage,
    RemoteProject,
    RemoteRegion,
    RemoteTag,
)
from jobs.errors import UserError

#: Of one listing, by the API.
MAX_PAGE = 256
#: Ids of one question: 256 would make an address of ten thousand characters.
_MAX_IDS = 64
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

    def page(self, *, is_tagged: bool, skip: int, take: int) -> list[RemoteImage]:
        """Return some pictures, the oldest first: new ones do not move those.

        Raises:
            BrokenAnswer: one of them cannot be read, and with it the page.
        """
        listing = self._api.get_tagged_images if is_tagged else self._api.get_untagged_images
        call = self._calls.make
        rows = call(listing, self.project_id, order_by="Oldest", take=take, skip=skip)
        return [_image(row) for row in rows or () if row.id]

    def again(self, ids: Sequence[str]) -> list[RemoteImage]:
        """Return pictures by their ids, with addresses that are signed anew.

        Raises:
            BrokenAnswer: one of them cannot be read.
        """
        found: list[RemoteImage] = []
        for start in range(0, len(ids), _MAX_IDS):
            part = list(ids[start : start + _MAX_IDS])
            rows = self._calls.make(self._api.get_images_by_ids, self.project_id, image_ids=part)
            found += [_image(row) for row in rows or () if row.id]
        return found

    def artifact(self, path: str) -> bytes:
        """Return a file of a project in a private network, whose addresses are relative."""
        return self._calls.make(self._whole_artifact, path)

    def baselines(self) -> list[Baseline]:
        """Return the published iterations with their performance, the newest first."""
        published = [row for row in self._ask(self._api.get_iterations) if row.publish_name]
        published.sort(key=lambda row: str(row.trained_at or ""), reverse=True)
        return [self._baseline(row) for row in published]

    def _baseline(self, iteration: Any) -> Baseline:
        options = {"threshold": THRESHOLD, "overlap_threshold": OVERLAP}
        found = self._ask(self._api.get_iteration_performance, iteration.id, **options)
        return Baseline(
            name=str(iteration.name or ""),
            published_as=str(iteration.publish_name),
            trained_at=iteration.trained_at,
            precision=found.precision,
            recall=found.recall,
            average_precision=found.average_precision,
            classes=tuple(map(_tag_performance, found.per_tag_performance or ())),
        )

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
        id=str(row.id),
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
        "name": str(row.name or ""),
        "precision": row.precision,
        "recall": row.recall,
        "average_precision": row.average_precision,
    }
