"""What can be done about a problem in the labels, and does it to one picture after the other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _

from datasets.copies import Rows
from datasets.health import HUGE, TINY, is_suspicious, twins
from datasets.image_problems import TITLES, Odd
from datasets.models import DatasetImage, DatasetVersion
from jobs.errors import UserError


class Action(StrEnum):
    """What is done about a problem, beyond what the import did."""

    DROP_BOXES = "drop_boxes"
    LEAVE_OUT = "leave_out"
    KEEP_ONE = "keep_one"
    SPLIT_ANEW = "split_anew"


#: What can be chosen for each problem; without a choice it stays as the import left it.
CHOICES: Mapping[str, tuple[Action, ...]] = {
    "split_leak": (Action.SPLIT_ANEW,),
    "health_twins": (Action.DROP_BOXES, Action.LEAVE_OUT),
    "health_tiny": (Action.DROP_BOXES, Action.LEAVE_OUT),
    "health_huge": (Action.DROP_BOXES, Action.LEAVE_OUT),
    "box_clipped": (Action.DROP_BOXES, Action.LEAVE_OUT),
    "look_alike": (Action.KEEP_ONE,),
    "picture_unlabelled": (Action.LEAVE_OUT,),
    "no_box": (Action.LEAVE_OUT,),
    "picture_turn_doubtful": (Action.LEAVE_OUT,),
    "label_file_unreadable": (Action.LEAVE_OUT,),
    "no_label_usable": (Action.LEAVE_OUT,),
    "box_outside": (Action.LEAVE_OUT,),
    "box_without_area": (Action.LEAVE_OUT,),
    "class_out_of_range": (Action.LEAVE_OUT,),
    "label_not_a_number": (Action.LEAVE_OUT,),
    "label_field_count": (Action.LEAVE_OUT,),
    "label_in_pixels": (Action.LEAVE_OUT,),
    "too_many_boxes": (Action.LEAVE_OUT,),
    "size_unknown": (Action.LEAVE_OUT,),
    "tag_without_box": (Action.LEAVE_OUT,),
}
ACTION_TITLES: Mapping[Action, Any] = {
    Action.DROP_BOXES: _("Remove these boxes"),
    Action.LEAVE_OUT: _("Leave these pictures out"),
    Action.KEEP_ONE: _("Keep one of those that look alike"),
    Action.SPLIT_ANEW: _("Split anew: what looks alike comes to one side"),
}
#: What the import did, where that is more than nothing.
_DONE: Mapping[str, Any] = {
    "box_clipped": _("Keep the part that lies in the picture"),
    "picture_unlabelled": _("Keep them as background: nothing is on them"),
    "no_box": _("Keep them as background: nothing is on them"),
    "split_leak": _("Keep the split that the ZIP brings"),
}
_AS_IT_IS = _("Keep them as they are")


@dataclass(frozen=True)
class Repair:
    """A problem with what is to be done about it."""

    code: str
    action: Action


@dataclass(frozen=True)
class Offer:
    """A problem that can be mended, as it is shown.

    Attributes:
        title: the problem in words.
        images: how many pictures have it.
        as_it_is: what stays without a choice, in words.
        choices: (action, words).
    """

    code: str
    title: Any
    images: int
    as_it_is: Any
    choices: tuple[tuple[Action, Any], ...]


def offers(version: DatasetVersion) -> list[Offer]:
    """Return what can be mended in a version."""
    found = dict(version.health.get("problems", {}))
    leaks = [row["count"] for row in version.warnings if row["code"] == "split_leak"]
    titles = {"split_leak": _("Looks like a picture in another split"), **TITLES}
    found |= {"split_leak": leaks[0]} if leaks else {}
    return [
        Offer(
            code,
            titles[code],
            found[code],
            _DONE.get(code, _AS_IT_IS),
            tuple((action, ACTION_TITLES[action]) for action in actions),
        )
        for code, actions in CHOICES.items()
        if found.get(code)
    ]


def checked(repairs: Collection[tuple[str, str]]) -> tuple[Repair, ...]:
    """Return repairs that can be done.

    Args:
        repairs: (code, action).

    Raises:
        UserError: `repair_unknown`.
    """
    for code, action in repairs:
        if action not in CHOICES.get(code, ()):
            raise UserError("repair_unknown", problem=code, action=action)
    return tuple(Repair(code, Action(action)) for code, action in repairs)


class Repairer:
    """Mends images in the order of their version, one by one."""

    def __init__(self, repairs: Collection[Repair]) -> None:
        self._actions = {repair.code: repair.action for repair in repairs}
        self._groups: set[int] = set()

    def left_odd(self, odd: Odd) -> Odd:
        """Return the problems that an image still has when its boxes are mended."""
        return {
            code: corners
            for code, corners in odd.items()
            if not (corners and self._actions.get(code) == Action.DROP_BOXES)
        }

    @property
    def splits_anew(self) -> bool:
        """Whether the split is made anew."""
        return Action.SPLIT_ANEW in self._actions.values()

    def mended(self, image: DatasetImage, odd: Odd) -> Rows | None:
        """Return the boxes that stay; nothing for an image that is left out.

        Args:
            image: with its picture.
            odd: its problems.
        """
        if any(self._actions.get(code) == Action.LEAVE_OUT for code in odd):
            return None
        if self._actions.get("look_alike") == Action.KEEP_ONE and image.group is not None:
            if image.group in self._groups:
                return None
            self._groups.add(image.group)
        boxes = list(image.boxes)
        for code, corners in odd.items():
            if self._actions.get(code) == Action.DROP_BOXES:
                gone = _boxes_of(code, image, corners)
                boxes = [row for row in boxes if row not in gone]
        return boxes


def _boxes_of(code: str, image: DatasetImage, corners: Sequence[list[float]]) -> Rows:
    """Return the boxes of an image that a problem is of.

    Args:
        corners: of those boxes, where only the import knew them.
    """
    width, height = image.picture.width, image.picture.height
    if code == "health_twins":
        return twins(image.boxes)
    if code == "box_clipped":
        return [row for row in image.boxes if list(row[1:]) in corners]
    kind = {"health_tiny": TINY, "health_huge": HUGE}[code]
    return [row for row in image.boxes if is_suspicious(kind, row, width, height)]
