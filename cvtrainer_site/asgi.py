"""The ASGI application: HTTP by Django, WebSockets by Channels."""

import os
import tempfile
from typing import Any

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import SessionMiddlewareStack

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cvtrainer_site.settings")
# Read with the settings (`env.py`): people wait for what this process does.
os.environ["CVTRAINER_PROCESS"] = "web"
django.setup(set_prefix=False)

# After Django is set up:
from django.conf import settings  # noqa: E402

from cvtrainer_site.body_limit import BodyLimit  # noqa: E402
from cvtrainer_site.in_slices import InSlices  # noqa: E402
from cvtrainer_site.routing import websocket_urlpatterns  # noqa: E402
from cvtrainer_site.threaded import ThreadedHandler  # noqa: E402
from jobs.origin import SameOriginOnly  # noqa: E402

# Django spools bodies there: beside the data, where there is room, and not in memory.
tempfile.tempdir = str(settings.FILE_UPLOAD_TEMP_DIR)


async def http(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer a request. Where people come by https, TLS has ended at the proxy in front of us."""
    scheme = "https" if settings.IS_HTTPS else scope["scheme"]
    await _http({**scope, "scheme": scheme}, receive, send)


_http = BodyLimit(InSlices(ThreadedHandler()))
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SameOriginOnly(SessionMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
