"""`manage.py up` brings the whole portal, keeps it running, and tells what keeps it from that."""

import contextlib
import os
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil

from tests.ops.portal import ROOT, Portal, clean_environment, free_port, living, manage, wait_for

#: What the issue promises of the web process.
_WEB_BYTES = 150 * 1024**2


def test_says_once_where_it_is_and_how_to_sign_in(portal: Portal) -> None:
    address, password = portal.said
    assert address == f"CVTrainer is ready at http://127.0.0.1:{portal.port}\n"
    assert re.fullmatch(r"Sign in as admin with the password \S{16} \(.*\)\.\n", password)


def test_is_ready_in_all_its_parts(portal: Portal) -> None:
    assert portal.get("/healthz")[0] == 200
    assert portal.get("/readyz")[0] == 200


def test_starts_each_program_in_a_session_of_its_own(portal: Portal) -> None:
    children = psutil.Process(portal.process.pid).children()
    assert len(children) == 6  # web, Valkey, three workers, the reconciler
    assert all(os.getsid(child.pid) == child.pid for child in children)


def test_keeps_the_secrets_from_others(portal: Portal) -> None:
    for name in ("secret_key", "field_keys"):
        assert stat.S_IMODE((portal.home / "secrets" / name).stat().st_mode) == 0o600
    for folder in ("secrets", "run", "valkey", "log", "tmp"):
        assert stat.S_IMODE((portal.home / folder).stat().st_mode) == 0o700
    assert stat.S_IMODE((portal.home / "db.sqlite3").stat().st_mode) == 0o600
    assert stat.S_IMODE((portal.home / "run" / "valkey.sock").stat().st_mode) & 0o077 == 0


def test_serves_without_torch_in_little_memory(portal: Portal) -> None:
    for page in ("/healthz", "/", "/api/v1/schema/", "/admin/login/"):
        portal.get(page)
    web = portal.find("uvicorn")
    mapped = {mapping.path for mapping in web.memory_maps()}
    assert not [path for path in mapped if re.search(r"torch|ultralytics|cv2", path)]
    assert web.memory_info().rss < _WEB_BYTES


def test_starts_a_fallen_program_again(portal: Portal) -> None:
    fallen = [portal.find("uvicorn"), portal.find("run_worker", "imports")]
    for process in fallen:
        process.kill()
    wait_for(lambda: not living({process.pid: process for process in fallen}), seconds=10)
    wait_for(lambda: has(portal, "uvicorn") and has(portal, "run_worker", "imports"), seconds=20)
    wait_for(lambda: portal.get("/readyz")[0] == 200, seconds=60)


def test_outlives_a_fall_of_valkey(portal: Portal) -> None:
    workers = portal.find("run_worker", "training").pid
    valkey = [child for child in portal.tree().values() if "valkey" in child.name()]
    valkey[0].kill()
    wait_for(lambda: valkey[0].pid not in portal.tree(), seconds=10)
    wait_for(lambda: portal.get("/readyz")[0] == 200, seconds=60)
    assert portal.find("run_worker", "training").pid == workers


def test_writes_what_the_programs_say_into_files(portal: Portal) -> None:
    names = {path.name for path in (portal.home / "log").iterdir()}
    assert {"valkey.log", "web.log"} <= names


def test_refuses_a_home_that_is_in_use(portal: Portal) -> None:
    second = manage(portal.home, "up", CVTRAINER_PORT=str(free_port()))
    assert second.returncode == 1
    assert f"already (process {portal.process.pid})" in second.stderr


def test_refuses_a_port_that_is_taken(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        refused = manage(home, "up", CVTRAINER_PORT=str(port))
    assert refused.returncode == 1
    assert f"Cannot serve at 127.0.0.1:{port}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (home / "db.sqlite3").exists()


def test_explains_workers_that_it_does_not_understand(home: Path) -> None:
    refused = manage(home, "up", CVTRAINER_WORKERS="io=two")
    assert refused.returncode == 1
    assert refused.stderr.strip() == "CVTRAINER_WORKERS looks like io=2,train=1,detect=1."


def test_gives_up_with_a_reason_where_a_program_cannot_start(home: Path, tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('no web today')")
    broken = Portal(home, PYTHONPATH=f"{tmp_path}:{ROOT}")
    try:
        assert broken.process.wait(timeout=200) == 1
    finally:
        broken.kill_everything()
    assert broken.said == []
    assert "      web | no web today\n" in broken.complained
    log = home / "log" / "web.log"
    assert f"CommandError: web does not start; see {log}\n" in broken.complained
    said = log.read_text().splitlines()
    # A busy machine may let it try once more.
    assert set(said) == {"no web today"} and 3 <= len(said) <= 4


def test_a_production_without_its_secrets_does_not_start(home: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-c", "import cvtrainer_site.asgi"],
        cwd=ROOT,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "Set SECRET_KEY or SECRET_KEY_FILE" in refused.stderr


def has(portal: Portal, *words: str) -> bool:
    """Tell whether a program runs."""
    with contextlib.suppress(ValueError, psutil.NoSuchProcess):
        return bool(portal.find(*words))
    return False
