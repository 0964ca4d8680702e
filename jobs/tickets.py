"""Tickets: what opens a WebSocket once. Stored as a digest, used up by deleting the row."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.utils import timezone

from jobs.models import StreamTicket

_LIFETIME = timedelta(seconds=60)


def issue_ticket(*, user: Any, token: Any) -> tuple[str, StreamTicket]:
    """Make a ticket for a user, confined as the token (or None) is that asked for it.

    Returns:
        The text to hand out, which is stored nowhere, and the row.
    """
    now = timezone.now()
    StreamTicket.objects.filter(expires_at__lt=now).delete()
    text = secrets.token_urlsafe(32)
    ticket = StreamTicket.objects.create(
        digest=_digest(text), user=user, token=token, expires_at=now + _LIFETIME
    )
    return text, ticket


def redeem_ticket(text: str) -> StreamTicket | None:
    """Use a ticket up.

    Returns:
        The row that it was, or None where it is unknown, used or too old.
    """
    rows = StreamTicket.objects.filter(digest=_digest(text), expires_at__gt=timezone.now())
    ticket = rows.select_related("user", "token").first()
    # Whoever deletes the row has it; of two at the same time the other finds nothing to delete.
    return ticket if ticket and rows.delete()[0] else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
