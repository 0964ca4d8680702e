"""What can go wrong with a detection, in words that say what to do."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

register(
    "no_picture_sent",
    _("There is no picture to look at."),
    _("Send at least one picture, or a ZIP of pictures."),
)
register(
    "too_many_pictures",
    _("{count} pictures are too many for one detection; {limit} are the limit."),
    _("Send them in several detections."),
)
register(
    "model_foreign",
    _("This model does not exist in this project."),
    _("Choose a model of this project."),
)
register(
    "no_production_model",
    _("This project has no model in use yet."),
    _("Name a model, or put one into use on its page."),
)
register(
    "weights_refused",
    _("The weights of this model cannot be loaded safely."),
    _("Choose another model, and tell your administrator."),
)
register(
    "picture_unusable",
    _("This file cannot be used as a picture."),
    _("Send a JPEG, PNG, WebP or BMP picture."),
)
register(
    "empty_split",
    _("This version has no pictures in the chosen split."),
    _("Choose another split, or another version."),
)
register(
    "classes_differ",
    _("The classes of the model and of the dataset version differ: {classes}."),
    _("Evaluate on a version with the same classes."),
)
register(
    "format_unknown",
    _("There is no such format."),
    _("Choose one of {formats}."),
)
