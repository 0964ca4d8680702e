"""Files of an import that could not be read: no version holds them, so that each says which."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from datasets.models import DatasetVersion
from datasets.problems import ProblemRow, Problems

#: In few words, by the code of the problem.
TITLES: Mapping[str, Any] = {
    "picture_unreadable": _("Not a picture, or damaged"),
    "picture_truncated": _("Incomplete: the end is missing"),
    "picture_format": _("Of a format that is not read"),
    "picture_too_large": _("Too large"),
    "picture_too_small": _("Too small"),
    "picture_animated": _("Animated"),
    "picture_crashed": _("Could not be decoded safely"),
    "archive_member_damaged": _("Damaged in the ZIP"),
    "archive_member_too_large": _("Too large in the ZIP"),
    "remote_picture_unreadable": _("Custom Vision's entry cannot be read"),
    "remote_picture_too_large": _("Too large in Custom Vision"),
    "remote_picture_away": _("Could not be fetched"),
    "remote_picture_forbidden": _("Refused by its storage"),
    "remote_picture_host": _("Lies where nothing may be fetched"),
    "label_file_unreadable": _("Label file unreadable"),
}


def joined(*sources: Iterable[Mapping[str, Any]]) -> list[ProblemRow]:
    """Return the unreadable files of several lists of problems, the most frequent kind first."""
    found = Problems()
    for rows in sources:
        for row in rows:
            if row["code"] in TITLES:
                found.add_row(row)
    return found.rows()


def unreadable_of(version: DatasetVersion | None) -> list[ProblemRow]:
    """Return the files that could not be read when the pictures of a version came in.

    A version that was made from another takes them along: what they show is still missing.
    """
    if version is None:
        return []
    known = version.health.get("unreadable")
    return joined(version.warnings if known is None else known)
