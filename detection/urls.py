"""Addresses of the pages."""

from django.urls import path

from detection import views

app_name = "detection"
urlpatterns = [
    path("projects/<uuid:project_id>/detect/", views.detect, name="detect"),
]
