"""`manage.py backup` and `restore` bring an installation back as it was, or change nothing."""

import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.ops.portal import Portal, manage
from tests.services.postgres import Postgres

_FILES = {
    "images/ab/abcdef.jpg": b"a picture",
    "weights/run-1/best.pt": os.urandom(300_000),
    "artifacts/đồ uống/kết quả.json": b"{}",
}


@pytest.fixture(scope="module")
def backup(portal: Portal, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of the running portal."""
    for name, content in _FILES.items():
        path = portal.home / "storage" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    half = portal.home / "storage" / "weights" / ".parts" / ".half.part"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"being written")
    file = tmp_path_factory.mktemp("backup") / "backup.tar"
    made = manage(portal.home, "backup", str(file))
    assert made.returncode == 0, made.stderr
    return file


def users(home: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(home / "db.sqlite3")) as database:
        return database.execute("SELECT username, password FROM accounts_user").fetchall()


def test_comes_back_as_it_was(portal: Portal, backup: Path, home: Path) -> None:
    restored = manage(home, "restore", str(backup))
    assert restored.returncode == 0, restored.stderr
    assert users(home) == users(portal.home) != []
    for name, content in _FILES.items():
        assert (home / "storage" / name).read_bytes() == content
    assert not (home / "storage" / "weights" / ".parts" / ".half.part").exists()
    for name in ("secret_key", "field_keys"):
        old, new = (place / "secrets" / name for place in (portal.home, home))
        assert new.read_bytes() == old.read_bytes()
        assert new.stat().st_mode & 0o077 == 0
    assert (home / "db.sqlite3").stat().st_mode & 0o077 == 0


def test_nobody_else_can_read_the_backup(backup: Path) -> None:
    assert backup.stat().st_mode & 0o077 == 0


def test_overwrites_no_file(portal: Portal, backup: Path) -> None:
    before = backup.read_bytes()
    refused = manage(portal.home, "backup", str(backup))
    assert refused.returncode == 1
    assert "exists already" in refused.stderr
    assert backup.read_bytes() == before


def test_restores_into_nothing_that_is_used(portal: Portal, backup: Path, home: Path) -> None:
    running = manage(portal.home, "restore", str(backup))
    assert (running.returncode, "already" in running.stderr) == (1, True)
    manage(home, "restore", str(backup))
    again = manage(home, "restore", str(backup))
    assert (again.returncode, "needs an empty one" in again.stderr) == (1, True)


@pytest.mark.parametrize("damage", ["cut", "changed", "other", "foreign"])
def test_restores_nothing_of_a_damaged_backup(backup: Path, home: Path, damage: str) -> None:
    broken = home.parent / "broken.tar"
    data = bytearray(backup.read_bytes())
    if damage == "cut":
        data = data[: len(data) * 2 // 3]
    elif damage == "changed":
        data[data.index(b"a picture")] ^= 1
    elif damage == "other":
        data = bytearray(b"PK\x03\x04" + bytes(5000))
    broken.write_bytes(data)
    if damage == "foreign":
        with tarfile.open(broken, "w") as tar:
            tar.add(__file__, "some.py")
    refused = manage(home, "restore", str(broken))
    assert refused.returncode == 1
    assert "cannot be restored" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (home / "storage").exists()


def test_refuses_a_backup_of_a_newer_version(backup: Path, home: Path) -> None:
    newer = home.parent / "newer.tar"
    with tarfile.open(backup) as old, tarfile.open(newer, "w") as new:
        for member in old:
            content = old.extractfile(member)
            assert content
            data = content.read()
            if member.name == "manifest.json":
                data = data.replace(b'"migrations": [', b'"migrations": [["jobs", "9999_new"], ')
                member.size = len(data)
            with (home.parent / "member").open("wb+") as file:
                file.write(data)
                file.seek(0)
                new.addfile(member, file)
    refused = manage(home, "restore", str(newer))
    assert (refused.returncode, "newer version (it has 9999_new)" in refused.stderr) == (1, True)


@pytest.mark.postgres
def test_comes_back_on_postgresql(postgres: Postgres, home: Path, tmp_path: Path) -> None:
    tools = {"PATH": f"{postgres.bin}:{os.environ['PATH']}"}
    first, second = postgres.create_database(), postgres.create_database()
    file, password = tmp_path / "backup.tar", tmp_path / "password"
    password.write_text("correct horse battery staple")
    words = ("create_user", "thuỷ", "--password-file", str(password))
    for command in (("migrate", "--verbosity=0"), words, ("backup", str(file))):
        done = manage(home, *command, DATABASE_URL=first, SECRET_KEY="s", FIELD_KEYS="f", **tools)
        assert done.returncode == 0, done.stderr
    assert "SECRET_KEY comes from outside" in done.stderr
    other = tmp_path / "other"
    restored = manage(
        other, "restore", str(file), DATABASE_URL=second, SECRET_KEY="s", FIELD_KEYS="f", **tools
    )
    assert restored.returncode == 0, restored.stderr
    found = manage(
        other,
        *("shell", "-v", "0", "-c"),
        "from accounts.models import User; print(User.objects.get().username)",
        DATABASE_URL=second,
        SECRET_KEY="s",
        FIELD_KEYS="f",
    )
    assert found.stdout.strip() == "thuỷ", found.stderr
