"""Addresses of the pages."""

from django.urls import URLPattern

app_name = "detection"
urlpatterns: list[URLPattern] = []
