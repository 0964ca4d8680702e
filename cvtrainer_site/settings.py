"""Settings of CVTrainer; every value from outside comes through env.py."""

import logging

from django.utils.translation import gettext_lazy as _
from whitenoise.compress import Compressor

from cvtrainer_site import env as site_env
from cvtrainer_site import logs
from cvtrainer_site.api.options import REST_FRAMEWORK, SPECTACULAR_SETTINGS  # noqa: F401
from cvtrainer_site.content_policy import content_policy
from cvtrainer_site.env import BASE_DIR, env
from cvtrainer_site.supervisor.address import local_url

HOME = site_env.home()
SECRET_KEY = site_env.secret("SECRET_KEY")
FIELD_KEYS = site_env.secret("FIELD_KEYS").split(",")
DEBUG = False
HOST = env.str("CVTRAINER_HOST", default="127.0.0.1")
PORT = env.int("CVTRAINER_PORT", default=8000)
PUBLIC_URL = env.str("CVTRAINER_PUBLIC_URL", default=local_url(HOST, PORT))
ALLOWED_HOSTS = env.list("CVTRAINER_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
# Networks whose X-Forwarded-For is believed: the proxies in front of us.
TRUSTED_PROXIES = env.list("CVTRAINER_TRUSTED_PROXIES", default=[])
IS_HTTPS = PUBLIC_URL.startswith("https://")
SOURCE_URL = env.str("CVTRAINER_SOURCE_URL", default="/source/")

INSTALLED_APPS = [
    "accounts",
    "projects",
    "jobs",
    "datasets",
    "training",
    "detection",
    "cvtrainer_site",
    "cvtrainer_site.admin_config.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "channels",
    "csp",
    "django_filters",
    "django_htmx",
    "django_rq",
    "django_structlog",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "cvtrainer_site.slashes.SlashMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.UserLanguageMiddleware",
    "cvtrainer_site.api.clock.UtcMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "cvtrainer_site.urls"
ASGI_APPLICATION = "cvtrainer_site.asgi.application"
# Requests worked on at once in a web process; each thread keeps one connection to the database.
# What takes long does not wait there: uploads arrive before, downloads are sent after.
REQUEST_THREADS = 64
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
                "cvtrainer_site.context.site",
            ],
        },
    },
]

DATABASES = {"default": site_env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = site_env.redis_url()
SOCKET_DIR = site_env.socket_dir()
RECONCILE_BEAT = site_env.reconcile_beat()
CACHES = {
    "default": {
        "BACKEND": "cvtrainer_site.cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    },
}
# One queue a worker process; RQ's own time-out is off: the lease and the progress watch.
RQ_QUEUES = {
    name: {"URL": REDIS_URL, "DEFAULT_TIMEOUT": -1, "SERIALIZER": "rq.serializers.JSONSerializer"}
    for name in ("imports", "training", "detection")
}
# Which worker serves a queue; the training worker keeps a warm trainer, the detector its models.
JOB_WORKERS = {
    "imports": "jobs.worker.ForkingWorker",
    "training": "training.worker.TrainingWorker",
    "detection": "detection.worker.DetectionWorker",
}
JOB_LEASE_SECONDS = env.float("CVTRAINER_LEASE_SECONDS", default=60.0)
JOB_RENEW_SECONDS = JOB_LEASE_SECONDS / 6
# Who writes the letters about ended jobs; nobody gets any where no mail server is set.
JOB_LETTERS = "cvtrainer_site.letters.letter_about"
EMAIL = site_env.email()
EMAIL_HOST, EMAIL_PORT = EMAIL.host, EMAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL.user, EMAIL.password
EMAIL_USE_TLS, EMAIL_USE_SSL, EMAIL_TIMEOUT = EMAIL.tls == "starttls", EMAIL.tls == "ssl", 15
EMAIL_FROM = DEFAULT_FROM_EMAIL = EMAIL.sender

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage",
        # Public, and in an image not its reader's own.
        "OPTIONS": {"file_permissions_mode": 0o644, "directory_permissions_mode": 0o755},
    },
    **site_env.storages(("uploads", "images", "weights", "artifacts")),
}
STATIC_URL = "static/"
# Built, not data: an image holds them, and another data home needs no second copy.
STATIC_ROOT = env.str("CVTRAINER_STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
STATICFILES_DIRS = [BASE_DIR / "static"]
# Not worth it: maps that only developers ask for, a font that no page asks for.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map", "ttf")
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
#: TrueType with all letters of Vietnamese, drawn on pictures; `make` fetches it.
PICTURE_FONT = BASE_DIR / "static" / "vendor" / "dejavu" / "DejaVuSans.ttf"
FILE_UPLOAD_TEMP_DIR = site_env.folder("tmp")
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "storage.upload_handler.SteadyUploadHandler",
]
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 500
# A form that changes each of 2,000 classes has three fields for each.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 6_500
# Hosts that an import may be sent to, and suffixes of such: Microsoft's, unless others are listed.
CUSTOM_VISION_HOSTS = env.list(
    "CVTRAINER_CUSTOM_VISION_HOSTS",
    default=["cognitiveservices.azure.com", "api.cognitive.microsoft.com"],
)
MAX_UPLOAD_BYTES = int(env.float("CVTRAINER_MAX_UPLOAD_GB", default=20) * 1024**3)
# Of all uploads of one project that are not imported yet.
UPLOAD_QUOTA_BYTES = int(
    env.float("CVTRAINER_UPLOAD_QUOTA_GB", default=3 * MAX_UPLOAD_BYTES / 1024**3) * 1024**3
)
WEIGHTS_DIR = env.str("CVTRAINER_WEIGHTS_DIR", default=str(HOME / "weights"))
# Where weights are fetched from that are neither there nor in storage; empty: from nowhere.
_RELEASES = "https://github.com/ultralytics/assets/releases/download/v8.4.0/"
WEIGHTS_URL = env.str("CVTRAINER_WEIGHTS_URL", default=_RELEASES)
GPU_PRICES = site_env.prices()  # of an hour, for the estimate before a training
CURRENCY, WORK_DIR = env.str("CVTRAINER_CURRENCY", default="USD"), HOME / "work"
# Trainings of one project that may be on, and that may wait, at once; 0: any number.
PROJECT_RUNS = env.int("CVTRAINER_PROJECT_RUNS", default=0)
PROJECT_WAITING = env.int("CVTRAINER_PROJECT_WAITING", default=0)
# Pictures at training size, for all trainings on this host; what runs use is there beside it.
PICTURE_CACHE_DIR = HOME / "cache" / "pictures"
PICTURE_CACHE_BYTES = int(env.float("CVTRAINER_DATA_CACHE_GB", default=50) * 1024**3)
# Of training that may be lost with its host because it is not stored yet, or one epoch.
TRAINING_UNSTORED_SECONDS = site_env.unstored_seconds()
TRAINING_LOADER_WORKERS = env.int("CVTRAINER_LOADER_WORKERS", default=-1)
WORKERS = site_env.workers()
METRICS_NETWORKS = env.list("CVTRAINER_METRICS_NETWORKS", default=[])

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapter.ClosedAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
# A key is an account seen from one address: see accounts.adapter.
ACCOUNT_RATE_LIMITS = {"login": "100/m/ip", "login_failed": "5/m/key"}
KNOX_TOKEN_MODEL = "accounts.ApiToken"  # noqa: S105  a model, no secret
# Its own migrations make a table of tokens that nothing uses, in the way of a flush on PostgreSQL.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"AUTH_HEADER_PREFIX": "Bearer", "TOKEN_PREFIX": "cvt_"}

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
# TLS ends at the proxy in front of us, which redirects; its other names are not ours to bind.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = content_policy(env.list("CVTRAINER_FRAME_ANCESTORS", default=[]))

LANGUAGE_CODE = "vi"
LANGUAGES = [("vi", _("Vietnamese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
FORMAT_MODULE_PATH = ["cvtrainer_site.formats"]
USE_TZ = True
TIME_ZONE = env.str("CVTRAINER_TIME_ZONE", default="Asia/Ho_Chi_Minh")

API_REQUESTS_PER_MINUTE = env.int("CVTRAINER_API_REQUESTS_PER_MINUTE", default=6000)
# Of one address without a valid token or session.
API_STRANGERS_PER_MINUTE = 300

LOGGING = logs.configure(env.str("CVTRAINER_LOG_LEVEL", default="INFO"))
# One line a request, when it has been answered.
DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG
