"""Addresses of the API."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from projects.api import MemberViewSet, ProjectViewSet

router = SimpleRouter(use_regex_path=False)
router.register("projects", ProjectViewSet, basename="project")
members = SimpleRouter(use_regex_path=False)
members.register("members", MemberViewSet, basename="member")

urlpatterns = [
    path("", include(router.urls)),
    path("projects/<uuid:project_id>/", include(members.urls)),
]
