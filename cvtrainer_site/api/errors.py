"""Every error of the API as RFC 9457 problem+json, wherever it was raised."""

import errno
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import redis
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import InterfaceError, OperationalError
from django.db.models import ProtectedError, RestrictedError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.serializers import as_serializer_error

from cvtrainer_site.api.problems import CONTENT_TYPE, FieldError, Problem, request_id
from cvtrainer_site.api.sentences import SENTENCES
from jobs.errors import UserError

log = logging.getLogger(__name__)

#: Who asks again after this many seconds will mostly find the database or Redis back.
_RETRY_SECONDS = 5
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_STANDS_FOR: dict[type[Exception], type[exceptions.APIException]] = {
    Http404: exceptions.NotFound,
    PermissionDenied: exceptions.PermissionDenied,
    SuspiciousOperation: exceptions.ParseError,
    UnreadablePostError: exceptions.ParseError,
}


def problem_handler(exc: Exception, context: dict[str, Any]) -> Response:
    """Answer any error that a view of the API raises."""
    problem = problem_of(exc)
    return Response(
        problem.as_json(),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


def problem_of(exc: BaseException | None) -> Problem:
    """Translate an error; one that is not the caller's is logged and tells nothing of itself."""
    if isinstance(exc, UserError):
        return Problem(exc.status, exc.code, f"{exc.message} {exc.hint}".strip())
    if isinstance(exc, RequestDataTooBig):
        return _known(413, "too_large")
    if isinstance(exc, ProtectedError | RestrictedError):
        return _known(409, "in_use")
    if isinstance(exc, DjangoValidationError):
        exc = exceptions.ValidationError(as_serializer_error(exc))
    for raised, stands_for in _STANDS_FOR.items():
        if isinstance(exc, raised):
            exc = stands_for()
    if isinstance(exc, exceptions.APIException):
        return _of_api_exception(exc)
    return _ours(exc)


def _of_api_exception(exc: exceptions.APIException) -> Problem:
    if isinstance(exc, exceptions.ValidationError):
        return _of_validation_error(exc)
    codes: Any = exc.get_codes()
    code = codes if isinstance(codes, str) else exc.default_code
    detail = _sentence(code, detail=exc.detail) if code in SENTENCES else str(exc.detail)
    problem = Problem(exc.status_code, code, detail)
    if header := getattr(exc, "auth_header", None):
        problem.headers["WWW-Authenticate"] = header
    if (wait := getattr(exc, "wait", None)) is not None:
        problem.headers["Retry-After"] = str(max(1, round(wait)))
    return problem


def _of_validation_error(exc: exceptions.ValidationError) -> Problem:
    errors = list(_field_errors(exc.get_full_details()))
    fields = ", ".join(dict.fromkeys(error.field for error in errors if error.field))
    whole = next((error for error in errors if not error.field), None)
    if whole is None:
        detail = _sentence("invalid", fields=fields)
    else:
        detail = _sentence("no_object") if whole.code == "null" else whole.detail
    return Problem(exc.status_code, "invalid", detail, errors)


def _field_errors(details: Any, path: str = "") -> Iterator[FieldError]:
    """Flatten nested details; what concerns the whole request has no field."""
    if isinstance(details, Mapping) and isinstance(details.get("message"), str):
        yield FieldError(path, details["code"], details["message"])
    elif isinstance(details, Mapping):
        for name, inner in details.items():
            step = "" if name in {"non_field_errors", "detail"} else str(name)
            yield from _field_errors(inner, ".".join(filter(None, (path, step))))
    else:
        leaves = all(isinstance(item, Mapping) and "message" in item for item in details)
        for index, inner in enumerate(details):
            step = "" if leaves else str(index)
            yield from _field_errors(inner, ".".join(filter(None, (path, step))))


def _ours(exc: BaseException | None) -> Problem:
    incident = request_id()
    log.error("Incident %s", incident, exc_info=exc)
    if isinstance(exc, OperationalError | InterfaceError | redis.RedisError):
        problem = _known(503, "unavailable")
        problem.headers["Retry-After"] = str(_RETRY_SECONDS)
        return problem
    if isinstance(exc, OSError) and exc.errno in _FULL:
        return _known(507, "disk_full")
    return _known(500, "internal", incident=incident)


def _known(status: int, code: str, **params: str) -> Problem:
    return Problem(status, code, _sentence(code, **params))


def _sentence(code: str, **params: Any) -> str:
    return str(SENTENCES[code]).format(**params)
