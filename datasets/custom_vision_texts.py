"""Why an import from Custom Vision ends, and what it leaves out: by codes, in words for people."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

# --- Errors: Custom Vision -------------------------------------------------------------------
register(
    "custom_vision_endpoint",
    _("This is no endpoint of Custom Vision."),
    _(
        "Copy the endpoint from the settings page of customvision.ai: it looks like"
        " https://southeastasia.api.cognitive.microsoft.com"
    ),
)
register(
    "custom_vision_portal",
    _("This is the address of the portal, not of the endpoint."),
    _("On customvision.ai open the settings (the gear): the endpoint stands beside the key."),
)
register(
    "custom_vision_host",
    _("The portal may not call {host}: it is no host of Custom Vision."),
    _("Copy the endpoint from the settings page of customvision.ai, or ask your administrator."),
)
register(
    "custom_vision_project_id",
    _("There is no project id in this."),
    _("Copy the project id from the settings page of customvision.ai, or the project's address."),
)
register(
    "custom_vision_key",
    _("Custom Vision does not accept this key for this endpoint."),
    _(
        "Copy the key that stands beside the training endpoint; the key of the prediction resource"
        " does not open projects."
    ),
)
register(
    "custom_vision_forbidden",
    _("Custom Vision refuses this server."),
    _("In Azure, allow this server's address in the network settings of the resource."),
)
register(
    "custom_vision_not_found",
    _("Custom Vision knows no such project at this endpoint."),
    _("Check that project id, endpoint and key are of the same resource."),
)
register(
    "custom_vision_classification",
    _("This is a classification project: its pictures have tags, but no boxes."),
    _("Choose a project of object detection."),
)
register(
    "custom_vision_no_tags",
    _("The project has no tags."),
    _("Tag objects in Custom Vision first, or upload a ZIP with labels."),
)
register(
    "custom_vision_throttled",
    _("Custom Vision takes no more calls at the moment."),
    _("Try again in some minutes; pictures that are here already are not fetched again."),
    status=503,
)
register(
    "custom_vision_away",
    _("Custom Vision does not answer."),
    _(
        "Check the endpoint and this server's connection, then try again; pictures that are here"
        " already are not fetched again."
    ),
    status=503,
)
register(
    "custom_vision_redirected",
    _("This endpoint sends us elsewhere, and the key must not go there."),
    _("Copy the endpoint from the settings page of customvision.ai."),
)
register(
    "custom_vision_answer",
    _("What answers at this endpoint does not speak as Custom Vision does."),
    _("Copy the endpoint from the settings page of customvision.ai."),
    status=502,
)
register(
    "custom_vision_refused",
    _("Custom Vision refuses this (status {status})."),
    _("Check project id, endpoint and key."),
)
register(
    "custom_vision_key_gone",
    _("The training key of this import is not here any more."),
    _("Import again and give the key once more; what is here already is not fetched again."),
)

# --- Problems: Custom Vision -----------------------------------------------------------------
register(
    "remote_picture_gone",
    _("{count} pictures were deleted in Custom Vision while they were fetched."),
)
register(
    "remote_picture_forbidden",
    _("{count} pictures were refused by their storage, with fresh links too."),
    _("Import again later."),
)
register(
    "remote_picture_host",
    _("{count} pictures lie where this portal may not fetch from; they were left out."),
)
register(
    "remote_picture_away",
    _("{count} pictures could not be fetched after several tries."),
    _("Import again later: what is here already is not fetched again."),
)
register(
    "remote_picture_too_large",
    _("{count} pictures have more than 64 MB; they were left out."),
)
register(
    "remote_picture_unreadable",
    _("Custom Vision's entries of {count} pictures cannot be read; they were left out."),
)
register(
    "custom_vision_moved",
    _("Somebody worked in Custom Vision while its pictures were listed; some may be missing."),
    _("Import again once the work there is done: what is here already is not fetched again."),
)
register(
    "baselines_unknown",
    _("Custom Vision did not tell which models are published; there is no baseline."),
    _("The pictures are not concerned. For the baseline import again later."),
)
register(
    "baseline_unknown",
    _("{count} published models of Custom Vision came without their figures; not in the baseline."),
    _("The pictures are not concerned. For the baseline import again later."),
)
register(
    "untagged_left_out",
    _("{count} pictures without a tag were left out."),
    _("If nothing is to be found on them, import again and take them as background."),
)
register(
    "tag_without_box",
    _("{count} pictures have tags, but no box; they count as pictures with nothing on them."),
)
register("region_of_no_tag", _("{count} boxes belong to no tag that is a class; left out."))
register(
    "negative_tag",
    _("{count} pictures are tagged as negative: they teach what is not to be found."),
)
register(
    "general_product",
    _("{count} tags are the catch-all class of the shelf domain; kept as a class."),
    _("A model that tells it from your own classes needs it; otherwise drop it."),
)
register(
    "picture_turn_doubtful",
    _("{count} pictures were turned upright, and nobody says for which side up their boxes are."),
    _("Look at them: if the boxes are off, correct them in Custom Vision and import again."),
)
register(
    "custom_vision_difference",
    _("{count} counts differ from those of Custom Vision."),
    _("The table below lists them; what was left out is named above with its reason."),
)
