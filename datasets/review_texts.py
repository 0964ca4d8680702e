"""Why classes and labels cannot be changed as somebody asks: each reason by a code, in words."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

register(
    "classes_not_all_named",
    _("The version has {count} classes; each of them must be named once."),
    _("Send one line for each class by its index, in the new order; mark those that go."),
)
register(
    "class_without_name",
    _("The class “{name}” has no name now."),
    _("Give it a name, or remove the class."),
)
register("no_class_left", _("No class would be left."), _("Keep at least one class."))
register(
    "repair_unknown",
    _("“{action}” cannot be done about “{problem}”."),
    _("Choose one of the offered repairs."),
)
register(
    "edit_leaves_nothing",
    _("Too little would be left to train and to measure a model with."),
    _("Remove fewer classes or pictures: training and validation both need some."),
)
register(
    "edit_without_change",
    _("Nothing would be different."),
    _("Change a name, the order, or choose a repair."),
)
register(
    "version_confirmed",
    _("The version was confirmed or removed meanwhile."),
    _("Load the page again to see how it is now."),
    status=409,
)
register(
    "dataset_busy",
    _("The next version of this dataset is still on the way."),
    _("Wait until its import has ended and is confirmed, then add to it."),
    status=409,
)
