"""Who asks: bearer tokens of machine clients, sessions of browsers."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import OperationalError
from django.db.models import Q
from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.models import ApiToken
from accounts.throttling import count_stranger

#: A token's last use is noted at most this often: reading must not write each time.
_NOTED_EVERY = timedelta(minutes=1)


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]
    """`Authorization: Bearer <token>`; confines the user to the token's project."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        """Return (user, token), or None where there is no bearer token.

        Raises:
            AuthenticationFailed: the token is of no use.
            Throttled: too many such tokens came from this address.
        """
        try:
            found: tuple[Any, ApiToken] | None = super().authenticate(request)
        except AuthenticationFailed:
            count_stranger(request)
            raise
        return found

    def authenticate_credentials(self, token: bytes) -> tuple[Any, ApiToken]:
        """Return (user, token) by one query for the digest, which is the primary key.

        Raises:
            AuthenticationFailed: unknown, expired, of a user who may not sign in, or not even text.
        """
        try:
            digest = hash_token(token.decode("ascii"))
        except UnicodeDecodeError as error:
            raise AuthenticationFailed from error
        now = timezone.now()
        row = ApiToken.objects.select_related("user").filter(
            Q(expiry__isnull=True) | Q(expiry__gt=now), digest=digest, user__is_active=True
        )
        found: ApiToken | None = row.first()
        if found is None:
            raise AuthenticationFailed
        if found.last_used_at is None or now - found.last_used_at > _NOTED_EVERY:
            # Whether it can be noted must not decide whether a request that only reads succeeds.
            with suppress(OperationalError):
                ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
        found.user.confined_to_project_id = found.project_id
        return found.user, found


class CsrfFailed(PermissionDenied):
    """A session without its CSRF token."""

    default_code = "csrf_failed"


class BrowserAuthentication(SessionAuthentication):
    """The session cookie, always with CSRF."""

    def enforce_csrf(self, request: Request) -> None:
        """Check the CSRF token.

        Raises:
            CsrfFailed: it is missing or wrong.
        """
        try:
            super().enforce_csrf(request)
        except PermissionDenied as error:
            raise CsrfFailed from error
