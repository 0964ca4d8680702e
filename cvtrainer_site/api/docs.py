"""The OpenAPI document, and a page to read and try it, without anything from another host."""

from django.contrib.auth.decorators import login_required
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView


class SchemaView(SpectacularJSONAPIView):  # type: ignore[misc]
    """OpenAPI 3, in JSON; any token may read it."""

    any_scope = True


docs = login_required(
    SpectacularSwaggerSplitView.as_view(
        url_name="schema", authentication_classes=[], permission_classes=[]
    )
)
