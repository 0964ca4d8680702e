"""What the API says to a person when a request fails, by the error's code."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: dict[str, str | Promise] = {
    "invalid": _("Correct these fields and send the request again: {fields}."),
    "no_object": _("Send a JSON object with the fields of the request."),
    "parse_error": _("The request cannot be read. Check that it is complete and well formed."),
    "not_authenticated": _("Sign in, or send a valid token in the Authorization header."),
    "authentication_failed": _("The token is unknown, revoked or expired. Create a new one."),
    "csrf_failed": _("The page is out of date. Reload it and try again."),
    "permission_denied": _("You may not do this. Ask an owner of the project for the right."),
    "scope_missing": _("The token does not have the scope “{detail}”. Create one that has it."),
    "session_only": _("A token cannot do this. Sign in with the browser."),
    "not_found": _(
        "There is nothing here, or you may not see it. Check the address; it ends with a slash."
    ),
    "method_not_allowed": _("This address does not take this method. The Allow header names some."),
    "not_acceptable": _("The answer can only be given as JSON. Change the Accept header."),
    "unsupported_media_type": _("The body has a type that is not taken here: {detail}"),
    "throttled": _("Too many requests. Wait for the time that the Retry-After header names."),
    "too_large": _("The request is too large. Send less at once."),
    "in_use": _("Something else still uses this. Remove that first."),
    "unavailable": _("The service is not available right now. Try again in a few seconds."),
    "no_room": _(
        "The upload needs {needed} MB on the disk of the server, and {free} MB are free. "
        "Ask your administrator to free space."
    ),
    "disk_full": _("The disk of the server is full. Ask your administrator to free space."),
    "internal": _("Something went wrong on our side. Tell your administrator: {incident}."),
}
