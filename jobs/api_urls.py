"""Addresses of the API that belong to no domain."""

from django.urls import path

from jobs.api import TicketView

urlpatterns = [path("ws-tickets/", TicketView.as_view(), name="ws-tickets")]
