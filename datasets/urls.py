"""Addresses of the pages."""

from django.urls import path

from datasets import views

app_name = "datasets"
urlpatterns = [
    path("projects/<uuid:project_id>/data/", views.dataset_list, name="dataset_list"),
    path("projects/<uuid:project_id>/import/", views.import_create, name="import_create"),
    path("imports/<uuid:import_id>/", views.import_detail, name="import_detail"),
    path("imports/<uuid:import_id>/cancel/", views.import_cancel, name="import_cancel"),
    path("dataset-versions/<uuid:version_id>/", views.version_detail, name="version_detail"),
    path("dataset-versions/<uuid:version_id>/images/", views.image_list, name="image_list"),
    path("images/<uuid:image_id>/", views.image_detail, name="image_detail"),
]
