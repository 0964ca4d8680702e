"""The WebSocket addresses of jobs."""

from django.urls import re_path

from jobs.consumers import JobConsumer

websocket_urlpatterns = [
    re_path(r"^ws/(?P<slug>[a-z-]+)/(?P<job_id>[0-9a-f-]{36})/$", JobConsumer.as_asgi()),
]
