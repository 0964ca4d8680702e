"""The WebSocket addresses."""

from jobs.routing import websocket_urlpatterns

__all__ = ["websocket_urlpatterns"]
