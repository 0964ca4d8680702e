"""`Idempotency-Key`: the same POST twice within 24 hours makes one thing and gives one answer.

The key and what the request makes are written in one transaction; what takes long comes before it
(`prepare`). Of equal requests at the same time the database lets one insert its key; the others
wait for it and then give its answer again.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import partial, wraps
from typing import Any, cast

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

Prepare = Callable[[Any, Request], AbstractContextManager[Any]]


def idempotent(
    *, never_stored: tuple[str, ...] = (), prepare: Prepare | None = None
) -> Callable[[Callable[..., Response]], Callable[..., Response]]:
    """Make the POST method of a viewset heed `Idempotency-Key`.

    With a key the method runs inside a transaction: an error undoes all and frees the key, and what
    waits for the commit (`jobs.queue.submit`) happens after the method has returned.

    Args:
        never_stored: keys of the answer that are null when it is given again, for secrets.
        prepare: what takes long, as storing files, and so belongs before the transaction: on SQLite
            nobody else can write meanwhile. Gets the viewset and the request; what its context
            manager gives is the method's next argument. It ends after the transaction, and has to
            find out whether the method took what was prepared: another request with the same key
            may have been faster.
    """

    def decorate(method: Callable[..., Response]) -> Callable[..., Response]:
        @wraps(method)
        def wrapper(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
            text = request.headers.get(HEADER)
            key = None if text is None else _Key(request, text)
            answer = key.known_answer() if key and prepare else None
            if answer is not None:
                return answer
            try:
                with prepare(view, request) if prepare else nullcontext() as prepared:
                    more = (prepared, *args) if prepare else args
                    make = partial(method, view, request, *more, **kwargs)
                    return _once(key, make, never_stored) if key else make()
            except Exception:
                # The same request may have been faster, and used up what this one names.
                answer = key.known_answer() if key and prepare else None
                if answer is None:
                    raise
                return answer

        wrapper.heeds_idempotency_key = True  # type: ignore[attr-defined]
        return wrapper

    return decorate


class _Key:
    """The key of a request, and all that the same request has to bring again."""

    def __init__(self, request: Request, key: str) -> None:
        if not 0 < len(key) <= _MAX_KEY:
            raise ValidationError({HEADER: f"1 to {_MAX_KEY} characters."}, code="invalid_key")
        self.path = request.path[:200]
        self.owner = {**_owner(request), "key": key}
        self.fingerprint = _fingerprint(request)

    def known_answer(self) -> Response | None:
        """Return the first answer where there is one; nothing is reserved by asking."""
        rows = IdempotentAnswer.objects.filter(**self.owner)
        row = rows.filter(created_at__gte=timezone.now() - KEPT).first()
        return None if row is None else self.again(row)

    def again(self, row: IdempotentAnswer) -> Response:
        """Return the first answer again.

        Raises:
            UserError: `idempotency_mismatch`, it was given to another request.
        """
        if not hmac.compare_digest(row.body_sha256, self.fingerprint):
            raise UserError("idempotency_mismatch")
        return Response(row.body, status=row.status_code, headers={"Idempotency-Replayed": "true"})


def _once(key: _Key, make: Callable[[], Response], never_stored: tuple[str, ...]) -> Response:
    with transaction.atomic():
        IdempotentAnswer.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
        row = _reserve(key)
        if row is None:
            return key.again(IdempotentAnswer.objects.get(**key.owner))
        response = make()
        row.status_code = response.status_code
        row.body = _storable(response.data, never_stored)
        row.save(update_fields=["status_code", "body"])
    return response


def _reserve(key: _Key) -> IdempotentAnswer | None:
    """Insert the key; None where it is there. Waits for whoever inserts the same key now."""
    try:
        with transaction.atomic():
            return IdempotentAnswer.objects.create(
                **key.owner, path=key.path, body_sha256=key.fingerprint, status_code=0
            )
    except IntegrityError:
        return None


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
