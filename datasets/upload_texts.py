"""What goes wrong with an upload in pieces: by codes, in words for people."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

register(
    "upload_protocol",
    _("This server speaks version 1.0.0 of the tus protocol."),
    _("Send the header “Tus-Resumable: 1.0.0”."),
    status=412,
)
register(
    "upload_header",
    _("The header {header} is missing or cannot be understood."),
    _("Send it as the tus protocol describes it."),
)
register(
    "upload_content_type",
    _("The content type is not application/offset+octet-stream."),
    _("Send the bytes of the file with this content type."),
    status=415,
)
register(
    "upload_offset",
    _("The upload goes on at byte {offset}."),
    _("Ask for the offset and send the bytes from there."),
    status=409,
)
register(
    "upload_busy",
    _("Another request is working on this upload."),
    _("Wait a moment and try again."),
    status=423,
)
register(
    "upload_too_long",
    _("More bytes came than the {length} that were announced."),
    _("Start a new upload of the whole file."),
    status=413,
)
register(
    "upload_quota",
    _("Uploads of this project that are not imported yet take {used_mb} of {limit_mb} MB."),
    _(
        "Wait until its imports have ended, or finish or stop uploads that are on. What nobody goes"
        " on with is removed after a day, the file of a failed import after a week."
    ),
    status=413,
)
register(
    "upload_incomplete",
    _("Only {offset} of {length} bytes of this upload have arrived."),
    _("Send the rest first."),
    status=409,
)
register(
    "upload_used",
    _("This upload was imported already."),
    _("Upload the file again to import it once more."),
    status=409,
)
