"""Addresses of the pages."""

from django.urls import path

from projects import views

app_name = "projects"
urlpatterns = [
    path("projects/new/", views.project_create, name="project_create"),
    path("projects/<uuid:project_id>/edit/", views.project_edit, name="project_edit"),
    path("projects/<uuid:project_id>/delete/", views.project_delete, name="project_delete"),
    path("projects/<uuid:project_id>/members/", views.member_list, name="member_list"),
    path(
        "projects/<uuid:project_id>/members/<uuid:user_id>/", views.member_edit, name="member_edit"
    ),
    path(
        "projects/<uuid:project_id>/members/<uuid:user_id>/remove/",
        views.member_remove,
        name="member_remove",
    ),
]
