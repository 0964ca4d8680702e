"""Looks at a Custom Vision project for somebody who is about to import it."""

import time
from typing import Any

from django.conf import settings

from datasets.names import printable
from datasets.sources.custom_vision import address
from datasets.sources.custom_vision.address import Address

#: Somebody sits in front of it.
_PATIENCE = 8.0


def address_of(endpoint: str, project: str) -> Address:
    """Return what somebody pasted as an address that may be called.

    Raises:
        UserError: it may not, or is none.
    """
    return address.understand(endpoint, project, settings.CUSTOM_VISION_HOSTS)


def preview(where: Address, training_key: str) -> dict[str, Any]:
    """Look at a project before it is imported; takes some seconds.

    Returns:
        `{"name", "domain", "tags": [{"name", "type", "images"}], "tagged", "untagged",
        "estimated_bytes", "estimated_seconds"}`; estimates are None where no picture could be had.

    Raises:
        UserError: it cannot be imported.
    """
    # The SDK takes 9 MB and half a second: no web process has it before somebody asks for this.
    from datasets.sources.custom_vision.downloads import PictureClient
    from datasets.sources.custom_vision.preview import look_at
    from datasets.sources.custom_vision.service import Service

    def wait(seconds: float, code: str) -> None:
        time.sleep(seconds)

    service = Service(where, training_key, wait=wait, patience=_PATIENCE)
    found = look_at(service, PictureClient(settings.CUSTOM_VISION_HOSTS), patience=_PATIENCE)
    return {
        "name": printable(found.name),
        "domain": printable(found.domain),
        "tags": [
            {"name": printable(tag.name), "type": tag.kind, "images": tag.images}
            for tag in found.tags
        ],
        "tagged": found.counts.tagged,
        "untagged": found.counts.untagged,
        "estimated_bytes": found.estimated_bytes,
        "estimated_seconds": found.estimated_seconds,
    }
