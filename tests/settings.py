"""Settings of the tests: a throw-away home, plain static files, and the kernel's fake job."""

import tests.environment  # noqa: F401  before the settings are read
from cvtrainer_site.settings import *  # noqa: F403
from cvtrainer_site.settings import DATABASES, HOME, INSTALLED_APPS, STORAGES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.fake_jobs"]
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# A file, so that threads and other processes see what a test wrote.
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# The web processes of the tests serve static files from where they lie, uncollected.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = True
