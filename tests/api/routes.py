"""The addresses of the site, read from the resolver."""

from collections.abc import Iterator
from typing import Any

from django.urls import get_resolver

#: The admin has its own test of every page; it refuses everybody here.
NOT_OURS = ("admin/",)


def all_routes() -> list[str]:
    """Return every address but those of the Django admin, as patterns."""
    found = {route for route, _ in walk(get_resolver().url_patterns)}
    return sorted(route for route in found if not route.startswith(NOT_OURS))


def walk(patterns: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (route, view) of every pattern below."""
    for pattern in patterns:
        route = f"{prefix}{pattern.pattern}"
        if hasattr(pattern, "url_patterns"):
            yield from walk(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def fill(route: str, world: dict[str, object]) -> str:
    """Return the address of a route for the rows of a world.

    A parameter stands for the row that the part of the route before it names, e.g. `projects`; a
    number is 0.
    """
    parts = route.split("/")
    for index, part in enumerate(parts):
        if part.startswith("<int:"):
            parts[index] = "0"
        elif part.startswith("<"):
            parts[index] = str(world[parts[index - 1]])
    return "/" + "/".join(parts)
