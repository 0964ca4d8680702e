"""How the OpenAPI document is drawn from the viewsets: what they say once is not said again."""

from typing import Any

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from accounts.idempotency import HEADER
from cvtrainer_site.api.problems import CONTENT_TYPE

_KEY = OpenApiParameter(
    HEADER,
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The same key and body within 24 hours gives the first answer again.",
)
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `detail` is in the language of Accept-Language.",
    "required": ["type", "title", "status", "detail", "code", "errors", "request_id"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
        "request_id": {"type": "string"},
    },
}


class ContractSchema(AutoSchema):  # type: ignore[misc]
    """Knows `write_serializer_class`, `created_status` and `heeds_idempotency_key`."""

    def get_override_parameters(self) -> list[Any]:
        """Name the Idempotency-Key where it is heeded."""
        return [_KEY] if self.method == "POST" and heeds_key(self.view, self._action()) else []

    def get_request_serializer(self) -> Any:
        """Return what reads a write."""
        writes = getattr(self.view, "write_serializer_class", None)
        if writes is not None and self._action() in {"create", "partial_update"}:
            return writes
        return super().get_request_serializer()

    def get_response_serializers(self) -> Any:
        """Return what shows a row, under the status with which one is made."""
        shows = getattr(self.view, "serializer_class", None)
        if shows is None or self._action() not in {"create", "partial_update"}:
            return super().get_response_serializers()
        if self._action() == "create":
            return {getattr(self.view, "created_status", 201): shows}
        return shows

    def _action(self) -> str:
        return getattr(self.view, "action", None) or ""


def heeds_key(view: Any, action: str) -> bool:
    """Whether a POST of a view heeds `Idempotency-Key`, itself or by the method that it calls."""
    method = getattr(view, action or "post", None)
    if getattr(method, "heeds_idempotency_key", False):
        return True
    inner = (getattr(view, name, None) for name in dir(type(view)) if name.startswith("_"))
    return action == "create" and any(
        getattr(method, "heeds_idempotency_key", False) for method in inner
    )


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[misc,no-untyped-call]
    """The token of a machine client."""

    target_class = "accounts.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """Return how the token is sent."""
        return {"type": "http", "scheme": "bearer"}


class BrowserScheme(SessionScheme):  # type: ignore[misc,no-untyped-call]
    """The session cookie."""

    target_class = "accounts.authentication.BrowserAuthentication"


def add_problems(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Say of each operation that its errors are problems."""
    result["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    answer = {
        "description": "Any error.",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result
