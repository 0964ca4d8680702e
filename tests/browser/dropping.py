"""Drops files on a page as a person does from another window: the browser itself hears of them."""

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page

_COPY = 1  # as the operations of a drag are numbered


def drag(page: Page, *kinds: str, paths: Sequence[Path], selector: str = "main") -> None:
    """Let a drag of files do something over an element: dragEnter, dragOver, drop."""
    place = page.locator(selector).first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    assert box is not None
    x, y = box["x"] + min(box["width"], 400) / 2, box["y"] + min(box["height"], 200) / 2
    files = [str(path) for path in paths]
    data = {"items": [], "files": files, "dragOperationsMask": _COPY}
    session = page.context.new_cdp_session(page)
    for kind in kinds:
        session.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": data})
    session.detach()


def drop(page: Page, paths: Sequence[Path], *, selector: str = "main") -> None:
    """Drag files over an element and let go."""
    drag(page, "dragEnter", "dragOver", "drop", paths=paths, selector=selector)
