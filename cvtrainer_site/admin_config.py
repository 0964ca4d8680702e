"""Puts our own site in the place of Django's admin; apart, because apps are not loaded yet here."""

from django.contrib.admin.apps import AdminConfig


class PortalAdminConfig(AdminConfig):
    """Makes `PortalAdminSite` the admin of the site."""

    default_site = "cvtrainer_site.admin_site.PortalAdminSite"
