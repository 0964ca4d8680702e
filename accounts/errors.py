"""Why a request of a user or a machine client is refused."""

from django.utils.translation import gettext_lazy as _

from jobs.errors import register

register(
    "idempotency_mismatch",
    _("This Idempotency-Key was used for another request within the last 24 hours."),
    _("Send the request with a new key."),
    status=422,
)
