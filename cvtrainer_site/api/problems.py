"""The shape of an error document (RFC 9457) and how it gets its request id."""

import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import structlog
from django.http import HttpRequest, JsonResponse
from django.utils.functional import Promise

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; nested ones are named `outer.inner` or `list.0`."""

    field: str
    code: str
    detail: str


@dataclass
class Problem:
    """An error as clients read it: `code` is stable, `detail` is for people."""

    status: int
    code: str
    detail: str | Promise
    errors: list[FieldError] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the document, in the active language."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self.detail),
            "code": self.code,
            "errors": [vars(error) for error in self.errors],
            "request_id": request_id(),
        }

    def response(self) -> JsonResponse:
        """Return the answer, for errors that were raised outside the API's own views."""
        return JsonResponse(
            self.as_json(),
            status=self.status,
            headers=self.headers,
            content_type=CONTENT_TYPE,
            json_dumps_params={"ensure_ascii": False},
        )


def request_id() -> str:
    """Return the id under which the log knows the current request."""
    bound = structlog.contextvars.get_contextvars().get("request_id")
    return str(bound or uuid.uuid4())


def is_api(request: HttpRequest) -> bool:
    """Whether the request is for the API: its errors are problems, never pages."""
    return request.path.startswith("/api/")
