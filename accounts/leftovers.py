"""Removes what has expired: sessions. Answers and tickets go when the next of them is made."""

from typing import Any

from django.contrib.sessions.models import Session
from django.dispatch import receiver
from django.utils import timezone

from jobs.housekeeping import housekeeping


@receiver(housekeeping)
def remove_expired_sessions(**_: Any) -> None:
    """Remove the sessions of people who have not been here for weeks."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
