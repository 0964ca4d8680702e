"""The only reader of the environment: typed values, secrets from files, paths of the data home."""

import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent
#: Linux limits the path of a unix socket to 107 bytes and an end mark.
_SOCKET_PATH_LIMIT = 100
#: A day: whoever would lose more than that has other troubles.
_MOST_UNSTORED = 86_400
#: What `generate_secrets` makes; everything else has to be given.
GENERATED = ("SECRET_KEY", "FIELD_KEYS")


def home() -> Path:
    """Return the folder that holds all data of this installation."""
    return Path(env.str("CVTRAINER_HOME", default=str(BASE_DIR / "var"))).resolve()


def folder(name: str) -> Path:
    """Return a folder of the data home, made where it is missing, for the owner alone."""
    path = home() / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.mkdir(exist_ok=True, mode=0o700)
    return path


def secret(name: str, default: str | None = None) -> str:
    """Return a secret from NAME, the file NAME_FILE, or what `make up` generated.

    Raises:
        ImproperlyConfigured: none of them is there and there is no default.
    """
    if value := os.environ.get(name):
        return value
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text(encoding="utf-8").strip()
    generated = home() / "secrets" / name.lower()
    if generated.is_file():
        return generated.read_text(encoding="utf-8").strip()
    if default is not None:
        return default
    raise ImproperlyConfigured(f"Set {name} or {name}_FILE, or let `make up` generate it.")


def generate_secrets() -> None:
    """Write the secrets that are not given yet into the data home, readable by the owner alone."""
    for name in GENERATED:
        path = folder("secrets") / name.lower()
        if os.environ.get(name) or os.environ.get(f"{name}_FILE") or path.exists():
            continue
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(48))


def socket_dir() -> Path:
    """Return the folder for unix sockets: in the data home, or a short one if that is deep."""
    wanted = home() / "run"
    if len(str(wanted)) <= _SOCKET_PATH_LIMIT - len("/trainer-0000000.sock"):
        return wanted
    digest = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"cvtrainer-{digest}"


def reconcile_beat() -> Path:
    """Return the file that the reconciler touches after each pass, as a sign of life."""
    return home() / "run" / "reconcile.beat"


def redis_url() -> str:
    """Return REDIS_URL, or the unix socket of the embedded Valkey."""
    return secret("REDIS_URL", default=f"unix://{socket_dir() / 'valkey.sock'}?db=0")


def uses_embedded_redis() -> bool:
    """Tell whether `manage.py up` has to start Valkey itself."""
    return not (os.environ.get("REDIS_URL") or os.environ.get("REDIS_URL_FILE"))


def database() -> dict[str, object]:
    """Return Django's database settings: PostgreSQL by DATABASE_URL, else SQLite in WAL mode."""
    url = secret("DATABASE_URL", default=f"sqlite:///{home() / 'db.sqlite3'}")
    settings = dict(environ.Env.db_url_config(url))
    if "sqlite" in str(settings["ENGINE"]):
        settings["CONN_MAX_AGE"] = None
        # Measured: Django's defaults lost 86 of 600 concurrent transactions, these none.
        settings["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
        }
    elif "postgresql" in str(settings["ENGINE"]):
        settings |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
        # A server that vanished without a word must not hold up pages, leases and workers.
        settings["OPTIONS"] = {
            "connect_timeout": 5,
            "tcp_user_timeout": 20_000,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            **dict(settings.get("OPTIONS") or {}),
        }
    return settings


def storages(aliases: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """Return one entry of STORAGES for each alias, on the file system or S3 by STORAGE_URL.

    `s3://key:secret@host:port/bucket?region=…&secure=0` or `file:///folder`.
    """
    url = urlsplit(secret("STORAGE_URL", default=f"file://{home() / 'storage'}"))
    if url.scheme == "file":
        return {alias: _file_storage(Path(unquote(url.path)) / alias) for alias in aliases}
    if url.scheme == "s3":
        query = {key: values[-1] for key, values in parse_qs(url.query).items()}
        scheme = "http" if query.get("secure", "1") in {"0", "false"} else "https"
        options: dict[str, object] = {
            "access_key": unquote(url.username or ""),
            "secret_key": unquote(url.password or ""),
            "bucket_name": url.path.strip("/"),
            "endpoint_url": f"{scheme}://{url.hostname}" + (f":{url.port}" if url.port else ""),
            "region_name": query.get("region"),
            "file_overwrite": True,
            "default_acl": None,
            "querystring_expire": 60,
            "client_config": _s3_patience(),
        }
        backend = "storages.backends.s3.S3Storage"
        return {a: {"BACKEND": backend, "OPTIONS": {**options, "location": a}} for a in aliases}
    raise ImproperlyConfigured("STORAGE_URL must start with file:// or s3://.")


def _s3_patience() -> object:
    """Return how long S3 is waited for: nobody looks at a page for boto's minutes.

    Workers wait as long as ever for an answer, which after a large file may be late.
    """
    from botocore.config import Config  # here: slow to import, and of no use without S3

    if env.str("CVTRAINER_PROCESS", default="") == "web":
        return Config(connect_timeout=3, read_timeout=20, retries={"total_max_attempts": 2})
    return Config(connect_timeout=5)


def _file_storage(location: Path) -> dict[str, object]:
    return {"BACKEND": "storage.disk.DiskStorage", "OPTIONS": {"location": str(location)}}


@dataclass(frozen=True)
class MailServer:
    """Where letters go out, and from whom; nobody writes any where `sender` is empty."""

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    tls: str = "none"
    sender: str = ""


def email() -> MailServer:
    """Return the mail server of CVTRAINER_EMAIL_URL: `smtp://user:password@host:port/?tls=…`.

    `tls` is `starttls` (the default), `ssl` or `none`; without a port, the usual one of each.

    Raises:
        ImproperlyConfigured: the address cannot be understood, or nobody is named as the sender.
    """
    text = secret("CVTRAINER_EMAIL_URL", default="")
    if not text:
        return MailServer()
    usual = {"starttls": 587, "ssl": 465, "none": 25}
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    tls = parse_qs(url.query).get("tls", ["starttls"])[-1]
    if url.scheme != "smtp" or not url.hostname or tls not in usual:
        raise ImproperlyConfigured(
            "CVTRAINER_EMAIL_URL looks like smtp://user:password@host:587/?tls=starttls."
        )
    sender = env.str("CVTRAINER_EMAIL_FROM", default="")
    if "@" not in sender:
        raise ImproperlyConfigured("CVTRAINER_EMAIL_FROM is the address that letters come from.")
    return MailServer(
        host=url.hostname,
        port=port or usual[tls],
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        tls=tls,
        sender=sender,
    )


def workers() -> dict[str, int]:
    """Return how many workers of each kind `manage.py up` starts, e.g. io=2,train=1,detect=1."""
    counts = {"io": 2, "train": 1, "detect": 1}
    for part in filter(None, env.str("CVTRAINER_WORKERS", default="").split(",")):
        name, _, count = part.partition("=")
        if name.strip() not in counts or not count.strip().isdigit():
            raise ImproperlyConfigured("CVTRAINER_WORKERS looks like io=2,train=1,detect=1.")
        counts[name.strip()] = int(count)
    return counts


def prices() -> dict[str, float]:
    """Return the price of an hour by class of cards, e.g. t4=0.35,a100=3.67."""
    found: dict[str, float] = {}
    for part in filter(None, env.str("CVTRAINER_GPU_PRICES", default="").split(",")):
        name, _, price = part.partition("=")
        try:
            found[name.strip().lower()] = float(price)
        except ValueError as error:
            raise ImproperlyConfigured(
                "CVTRAINER_GPU_PRICES looks like t4=0.35,a100=3.67."
            ) from error
    return found


def unstored_seconds() -> float:
    """Return how much training may be lost with its host, in seconds; see docs/faults.md."""
    said = env.str("CVTRAINER_UNSTORED_SECONDS", default="60")
    try:
        seconds = float(said)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _MOST_UNSTORED:
        raise ImproperlyConfigured(
            f"CVTRAINER_UNSTORED_SECONDS is a number of seconds from 0 to {_MOST_UNSTORED}."
        )
    return seconds
