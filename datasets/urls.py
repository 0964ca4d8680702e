"""Addresses of the pages."""

from django.urls import path

from datasets import views

app_name = "datasets"
urlpatterns = [
    path("projects/<uuid:project_id>/data/", views.dataset_list, name="dataset_list"),
    path("imports/<uuid:import_id>/", views.import_detail, name="import_detail"),
    path("imports/<uuid:import_id>/cancel/", views.import_cancel, name="import_cancel"),
]
