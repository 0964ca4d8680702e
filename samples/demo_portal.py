"""The demo's portal: `manage.py up` as a child, ready before it is used and ended in order."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cvtrainer_site.supervisor.address import local_url
from cvtrainer_site.supervisor.linux import die_with

ROOT = Path(__file__).resolve().parent.parent
UP = (sys.executable, "manage.py", "up")
_READY_SECONDS = 120.0
_DOES_IT_OPEN = """
import os, sys
from accounts.models import User
sys.exit(not User.objects.get(username="admin").check_password(os.environ["DEMO_PASSWORD"]))
"""


def own_url() -> str:
    """Return where this machine reaches the portal, whatever address it listens on."""
    host = os.environ.get("CVTRAINER_HOST") or "127.0.0.1"
    return local_url(host, int(os.environ.get("CVTRAINER_PORT") or 8000))


@contextmanager
def running_portal(url: str, password: str) -> "Iterator[subprocess.Popen[bytes]]":
    """Start `manage.py up`, wait until it is ready, and take it down in order."""
    parent = os.getpid()
    environment = {
        # The demo's own lines are what is to be read here.
        "CVTRAINER_LOG_LEVEL": "WARNING",
        **os.environ,
        "CVTRAINER_ADMIN_PASSWORD": password,
    }
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _: sys.exit(128 + caught))
    portal = subprocess.Popen(
        UP,
        cwd=ROOT,
        env=environment,
        # A terminal sends Ctrl-C to the whole group: the portal would hear it from there and from
        # us, and take the second for "do not wait".
        process_group=0,
        preexec_fn=lambda: die_with(parent),  # noqa: PLW1509  there are no threads here
    )
    try:
        _wait_until_ready(url, portal)
        yield portal
    finally:
        _end(portal)


def _end(portal: "subprocess.Popen[bytes]") -> None:
    """Ask it to end once, and again for each time that the person asks again."""
    while portal.poll() is None:
        with contextlib.suppress(KeyboardInterrupt, SystemExit):
            portal.send_signal(signal.SIGTERM)
            portal.wait()


def _wait_until_ready(url: str, portal: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if portal.poll() is not None:
            raise SystemExit("The portal did not start; its message is above.")
        with contextlib.suppress(OSError, urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}/readyz", timeout=2).close()
            return
        time.sleep(0.2)
    raise SystemExit("The portal was not ready in time.")


def new_token() -> str:
    """Return a token of the user `admin` for the day."""
    scopes = "read,import,train,detect,manage"
    command = ["manage.py", "create_token", "admin", "--days", "1", "--scopes", scopes]
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def opens(password: str) -> bool:
    """Tell whether `admin` signs in with this password: an installation keeps its first one."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", _DOES_IT_OPEN]
    environment = {**os.environ, "DEMO_PASSWORD": password}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0
