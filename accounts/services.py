"""What is done with users and their tokens."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import ApiToken, Scope, User

#: The longest life of a token, and what it lives where nobody says.
LONGEST = timedelta(days=366)
USUAL = timedelta(days=90)


def create_user(*, username: str, password: str, is_staff: bool = False) -> User:
    """Make a user who may sign in.

    Raises:
        ValidationError: the name is taken or malformed, or the password is too weak.
    """
    user = User(username=username, is_staff=is_staff)
    validate_password(password, user)
    user.set_password(password)
    user.full_clean(exclude=["password"])
    user.save()
    return user


def create_token(
    *,
    user: User,
    name: str,
    scopes: Iterable[str],
    project: Any | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token; the secret is given here and never again.

    Args:
        project: the only project that the token reaches; the caller has checked that the user may
            see it.
        expires_at: at most a year from now; 90 days from now where it is None.

    Returns:
        (row, secret)

    Raises:
        ValidationError: a scope is unknown, or the end is past or too far.
    """
    row, secret = ApiToken.objects.create(
        user=user,
        name=name,
        scopes=clean_scopes(scopes),
        project=project,
        expiry=clean_expiry(expires_at) - timezone.now(),
    )
    return row, secret


def clean_scopes(scopes: Iterable[str]) -> list[str]:
    """Return scopes once each, in the order of `Scope`.

    Raises:
        ValidationError: there are none, or an unknown one.
    """
    wanted = set(scopes)
    if not wanted:
        raise ValidationError(_("Name at least one scope."), code="required")
    if unknown := wanted - set(Scope.values):
        names = ", ".join(sorted(unknown))
        raise ValidationError(_("There is no such scope: %(names)s."), params={"names": names})
    return [scope for scope in Scope.values if scope in wanted]


def clean_expiry(expires_at: datetime | None) -> datetime:
    """Return when a token ends.

    Raises:
        ValidationError: it is past, or more than a year from now.
    """
    now = timezone.now()
    if expires_at is None:
        return now + USUAL
    if not now < expires_at <= now + LONGEST:
        raise ValidationError(_("A token lives at most a year from now."), code="out_of_range")
    return expires_at


def revoke_token(*, token: ApiToken) -> None:
    """End a token: its next call is refused."""
    token.delete()


def set_letters(*, user: User, are_wanted: bool) -> None:
    """Remember whether the user wants an e-mail when a training or an import of theirs ends."""
    user.email_when_done = are_wanted
    user.save(update_fields=["email_when_done"])


def set_language(*, user: User, code: str) -> None:
    """Remember the language that the user chose."""
    user.language = code
    user.save(update_fields=["language"])
