"""The OpenAPI document, and a page to read and try it, without anything from another host."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.utils.translation import get_language
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

#: Drawn once a process and language: it takes a good part of a second.
_documents: dict[str, Any] = {}


class SchemaView(SpectacularJSONAPIView):  # type: ignore[misc]
    """OpenAPI 3, in JSON; any token may read it."""

    any_scope = True

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return the document in the reader's language."""
        language = get_language() or ""
        if language not in _documents:
            _documents[language] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
        return Response(_documents[language])


docs = login_required(
    SpectacularSwaggerSplitView.as_view(
        url_name="schema", authentication_classes=[], permission_classes=[]
    )
)
