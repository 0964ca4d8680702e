"""Addresses of the pages."""

from django.urls import path

from projects import views

app_name = "projects"
urlpatterns = [
    path("projects/new/", views.project_create, name="project_create"),
    path("projects/<uuid:project_id>/edit/", views.project_edit, name="project_edit"),
    path("projects/<uuid:project_id>/members/", views.member_list, name="member_list"),
]
