"""Addresses of the API."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from accounts.api import MeView, TokenViewSet

router = SimpleRouter(use_regex_path=False)
router.register("tokens", TokenViewSet, basename="token")

urlpatterns = [path("me/", MeView.as_view(), name="me"), path("", include(router.urls))]
