"""Addresses of the pages."""

from django.urls import path

from training import views

app_name = "training"
urlpatterns = [
    path("projects/<uuid:project_id>/training/", views.run_list, name="run_list"),
    path("training-runs/<uuid:run_id>/", views.run_detail, name="run_detail"),
]
