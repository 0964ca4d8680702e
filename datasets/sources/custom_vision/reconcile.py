"""Compares what came in with what Custom Vision counts: pictures, tags and boxes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets.sources.base import Counted
from datasets.sources.custom_vision.labels import Labels
from datasets.sources.custom_vision.remote import RemoteImage
from datasets.sources.custom_vision.service import Service


@dataclass
class Listed:
    """What the listing said, in numbers."""

    #: Regions by tag, whether they could be used or not.
    regions: Counter[str] = field(default_factory=Counter)

    def add(self, image: RemoteImage) -> None:
        """Count a picture."""
        self.regions.update(region.tag_id for region in image.regions)


def differences(
    service: Service,
    labels: Labels,
    listed: Listed,
    counted: Counted,
    classes: Sequence[str],
    *,
    with_untagged: bool,
) -> list[dict[str, Any]]:
    """Return rows `{"what", "name", "theirs", "ours", "differs"}`.

    `what` is `pictures`, `boxes` (of all classes together, and then of each), or `tag` (pictures
    with it). Custom Vision is asked again: somebody may have worked there meanwhile. Its API counts
    no boxes; theirs are those of its listing.
    """
    tags, counts = {tag.id: tag for tag in service.tags()}, service.counts()
    pictures = counts.tagged + (counts.untagged if with_untagged else 0)
    rows = [
        _row("pictures", "", pictures, counted.images),
        _row("boxes", "", listed.regions.total(), sum(counted.boxes)),
    ]
    for tag in labels.tags:
        index = labels.index_of(tag.id)
        if index is None:
            continue
        images = tags[tag.id].images if tag.id in tags else 0
        rows.append(_row("tag", classes[index], images, counted.images_with[index]))
        rows.append(_row("boxes", classes[index], listed.regions[tag.id], counted.boxes[index]))
    return rows


def _row(what: str, name: str, theirs: int, ours: int) -> dict[str, Any]:
    return {"what": what, "name": name, "theirs": theirs, "ours": ours, "differs": theirs != ours}
