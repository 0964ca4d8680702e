"""`Idempotency-Key`: the same POST twice within 24 hours makes one thing and gives one answer.

The key and what the request makes are written in one transaction. Of equal requests at the same
time the database lets one insert its key; the others wait for it and then give its answer again.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

import accounts.errors  # noqa: F401  registers the codes
from accounts.models import IdempotentAnswer, User
from jobs.errors import UserError

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
_MAX_KEY = 255

View = TypeVar("View", bound=Callable[..., Response])


def idempotent(*, never_stored: tuple[str, ...] = ()) -> Callable[[View], View]:
    """Make the POST method of a viewset heed `Idempotency-Key`.

    With a key the method runs inside a transaction: an error undoes all and frees the key, and what
    waits for the commit (`jobs.queue.submit`) happens after the method has returned.

    Args:
        never_stored: keys of the answer that are null when it is given again, for secrets.
    """

    def decorate(method: View) -> View:
        @wraps(method)
        def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
            key = request.headers.get(HEADER)
            if key is None:
                return method(view, request, *args, **kwargs)
            return _once(request, key, lambda: method(view, request, *args, **kwargs), never_stored)

        wrapper.heeds_idempotency_key = True  # type: ignore[attr-defined]
        return cast(View, wrapper)

    return decorate


def _once(
    request: Request, key: str, make: Callable[[], Response], never_stored: tuple[str, ...]
) -> Response:
    if not 0 < len(key) <= _MAX_KEY:
        raise ValidationError({HEADER: f"1 to {_MAX_KEY} characters."}, code="invalid_key")
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
        row = _reserve(request, key, fingerprint)
        if row is None:
            return _again(request, key, fingerprint)
        response = make()
        row.status_code = response.status_code
        row.body = _storable(response.data, never_stored)
        row.save(update_fields=["status_code", "body"])
    return response


def _reserve(request: Request, key: str, fingerprint: str) -> IdempotentAnswer | None:
    """Insert the key; None where it is there. Waits for whoever inserts the same key now."""
    try:
        with transaction.atomic():
            return IdempotentAnswer.objects.create(
                **_owner(request),
                key=key,
                path=request.path[:200],
                body_sha256=fingerprint,
                status_code=0,
            )
    except IntegrityError:
        return None


def _again(request: Request, key: str, fingerprint: str) -> Response:
    row = IdempotentAnswer.objects.get(**_owner(request), key=key)
    if not hmac.compare_digest(row.body_sha256, fingerprint):
        raise UserError("idempotency_mismatch")
    return Response(row.body, status=row.status_code, headers={"Idempotency-Replayed": "true"})


def _owner(request: Request) -> dict[str, Any]:
    return {"user": cast(User, request.user), "token_digest": getattr(request.auth, "digest", "")}


def _storable(data: Any, never_stored: tuple[str, ...]) -> Any:
    plain = json.loads(JSONRenderer().render(data))
    return {**plain, **dict.fromkeys(never_stored)} if never_stored else plain


def _fingerprint(request: Request) -> str:
    """Return a keyed digest of where the request goes and all that it brings, files streamed."""
    digest = hmac.new(settings.SECRET_KEY.encode(), digestmod=hashlib.sha256)
    digest.update(f"{request.method} {request.get_full_path()}\n".encode())
    data = request.data
    if not hasattr(data, "lists"):
        digest.update(json.dumps(data, sort_keys=True).encode())
        return digest.hexdigest()
    for name, values in sorted(data.lists()):
        for value in values:
            _add_part(digest, name, value)
    return digest.hexdigest()


def _add_part(digest: hmac.HMAC, name: str, value: Any) -> None:
    if not isinstance(value, UploadedFile):
        digest.update(json.dumps([name, value]).encode())
        return
    digest.update(json.dumps([name, value.name, value.size]).encode())
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
