"""What may go wrong with an upload in parts, in words for people."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

register(
    "tus_version",
    _("This server speaks version 1.0.0 of the tus protocol."),
    _("Send the header Tus-Resumable: 1.0.0."),
    status=412,
)
register(
    "upload_header",
    _("The header {name} is missing, or is not what the tus protocol says."),
    _("Look at the documentation of your tus client."),
)
register(
    "upload_too_large",
    _("The file is too large: at most {limit} MB."),
    _("Divide the pictures over several ZIPs and import them one after the other."),
    status=413,
)
register(
    "upload_quota",
    _("Uploads that are not imported yet may have {limit} MB together."),
    _("Import or cancel what was uploaded before; after a day without bytes it goes by itself."),
    status=413,
)
register(
    "upload_no_room",
    _("There is no room for this file on the server."),
    _("Ask your administrator to make room."),
    status=507,
)
register(
    "upload_offset",
    _("The upload goes on at byte {offset}."),
    _("Ask with HEAD where it stands, and send what follows."),
    status=409,
)
register(
    "upload_busy",
    _("Another connection is sending to this upload."),
    _("Wait for a moment and ask with HEAD where it stands."),
    status=423,
)
register(
    "upload_too_long",
    _("More bytes came than were announced; these are not kept."),
    _("Begin a new upload."),
    status=413,
)
register(
    "upload_incomplete",
    _("Only {offset} of {length} bytes of this upload are here."),
    _("Send the rest, then import."),
)
