"""What the health report of a version says, by codes, in words for people."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

#: What a version that is not ready lacks, as its badge says it.
BADGES: Mapping[str, Any] = {
    "health_nothing_to_train": _("Not ready to train: no box in the training set"),
    "health_nothing_to_measure": _("Not ready to train: no box in the validation set"),
}

register(
    "health_nothing_to_train",
    _("No picture of the training set has a box."),
    _("Label pictures and import them again, or split anew."),
)
register(
    "health_nothing_to_measure",
    _("No picture of the validation set has a box: nobody could tell how good a model is."),
    _("Split anew with a validation share of 20 %, or import more labelled pictures."),
)
register(
    "health_classes_unseen",
    _("{count} classes have no box in the training set: {names}."),
    _("A model cannot learn them. Split anew, or add pictures of them."),
)
register(
    "health_classes_unmeasured",
    _("{count} classes have no box in the validation set: {names}."),
    _("Nobody could tell how well they are found. Split anew, or add pictures of them."),
)
register(
    "health_classes_few",
    _("{count} classes are on fewer than 15 training pictures: {names}."),
    _("Add pictures of them, from different shops, distances and light; 50 make a good start."),
)
register(
    "health_unbalanced",
    _("“{most}” has {times} times as many boxes as “{least}”."),
    _("A model tends to see the frequent one. Add pictures of the rare one."),
)
register(
    "health_few_pictures",
    _("There are only {count} pictures."),
    _("It is enough to try; for daily use bring a few hundred, from different places and days."),
)
register(
    "health_twins",
    _("On {count} pictures two boxes lie on each other."),
    _("One thing was labelled twice, and counts twice. Remove one of the boxes."),
)
register(
    "health_tiny",
    _("On {count} pictures are boxes smaller than 8 pixels at the size of the training."),
    _("A model hardly sees them. Train with a larger image size, or photograph from nearer."),
)
register(
    "health_huge",
    _("On {count} pictures a box covers nearly the whole picture."),
    _("Check whether it is meant: a box belongs around one thing."),
)
register(
    "health_unreadable",
    _("{count} files could not be read: what they show or say is missing."),
    _("The health report lists them. Save them again, and add them by another import."),
)
