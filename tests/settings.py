"""Settings of the tests: a throw-away home, plain static files, and the kernel's fake job."""

from cvtrainer_site.settings import *  # noqa: F403
from cvtrainer_site.settings import INSTALLED_APPS, STORAGES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.fake_jobs"]
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
