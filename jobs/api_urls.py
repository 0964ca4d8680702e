"""Addresses of the API that belong to no domain."""

from django.urls import path
from rest_framework.routers import SimpleRouter

from jobs.api import TicketView
from jobs.worker_api import WorkerViewSet

router = SimpleRouter(use_regex_path=False)
router.register("workers", WorkerViewSet, basename="worker")

urlpatterns = [path("ws-tickets/", TicketView.as_view(), name="ws-tickets"), *router.urls]
