"""The page and the API of workers: for staff alone, with no more of projects than they may see."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from jobs import transitions
from jobs.worker_rows import Drain, Worker
from projects.models import Project
from tests.factories import make_import, make_member, make_run, make_token, make_user, make_worker
from tests.pages.conftest import Visit
from tests.personas import ClientFactory
from training.models import TrainingRun

PAGE = "/operations/workers/"
API = "/api/v1/workers/"


@pytest.fixture
def staff(db: None) -> User:
    """Staff that belongs to no project."""
    return make_user("staff", is_staff=True)


def busy_worker(project: Project) -> tuple[Worker, TrainingRun]:
    worker = make_worker(state="busy", gpu_class="t4", gpu_name="Tesla T4", gpu_memory_mb=15360)
    run = make_run(project, name="Bottles in May")
    transitions.claim(TrainingRun, run.pk, worker=worker.name)
    return worker, run


class TestThePage:
    def test_says_what_each_does_and_links_what_may_be_seen(
        self, client_of: Visit, admin: User, staff: User, project: Project
    ) -> None:
        worker, run = busy_worker(project)
        text = client_of(admin).get(PAGE).content.decode()
        for part in (worker.name, worker.host, "Tesla T4", "15 GB", "PyTorch 2.10.0", "Busy"):
            assert part in text
        assert f'href="/training-runs/{run.pk}/"' in text
        text = client_of(staff).get(PAGE).content.decode()
        assert "Bottles in May" not in text and str(run.pk) not in text
        assert project.name not in text
        assert "Works for a project that you do not belong to." in text
        make_member(project, staff, "viewer")
        assert "Bottles in May" in client_of(staff).get(PAGE).content.decode()

    def test_says_why_one_refuses_in_both_languages(self, client_of: Visit, staff: User) -> None:
        params = {"card": "Tesla K80", "capability": "3.7", "torch": "2.10.0"}
        make_worker(state="refused", reason={"code": "card_unsupported", "params": params})
        client = client_of(staff)
        assert "PyTorch 2.10.0 has no code for the card Tesla K80" in _text(client)
        client.cookies[site_settings.LANGUAGE_COOKIE_NAME] = "vi"
        assert "PyTorch 2.10.0 không có mã cho card Tesla K80" in _text(client)

    def test_says_how_to_start_one_where_there_is_none(self, client_of: Visit, staff: User) -> None:
        assert "manage.py run_worker training" in _text(client_of(staff))

    def test_counts_what_waits_by_card(
        self, client_of: Visit, staff: User, project: Project
    ) -> None:
        for gpu_class in ("t4", "t4", ""):
            make_run(project, gpu_class=gpu_class)
        make_import(project)
        answer = client_of(staff).get(PAGE)
        assert answer.context["waiting"] == [
            ("Training", "any card", 1),
            ("Training", "T4", 2),
            ("Import", "", 1),
            ("Object detection", "", 0),
        ]

    def test_shows_a_lost_worker_without_a_button(self, client_of: Visit, staff: User) -> None:
        make_worker(last_seen=timezone.now() - timedelta(minutes=2))
        text = _text(client_of(staff))
        assert 'data-standing="lost"' in text and "Drain" not in text

    def test_drains_and_takes_it_back(self, client_of: Visit, staff: User) -> None:
        worker, client = make_worker(), client_of(staff)
        for how, wish, by in (("after", "after", staff), ("now", "now", staff), ("no", "", None)):
            answer = client.post(f"{PAGE}{worker.pk}/drain/", {"how": how})
            assert answer["Location"] == PAGE
            worker.refresh_from_db()
            assert (worker.drain, worker.drained_by) == (wish, by)

    def test_tells_that_a_worker_has_gone(self, client_of: Visit, staff: User) -> None:
        worker, client = make_worker(), client_of(staff)
        Worker.objects.all().delete()
        answer = client.post(f"{PAGE}{worker.pk}/drain/", {"how": "now"}, follow=True)
        assert "This worker is not there any more." in answer.content.decode()

    def test_takes_no_drain_from_others(
        self, client_of: Visit, owner: User, project: Project
    ) -> None:
        worker, _ = busy_worker(project)
        assert client_of(owner).post(f"{PAGE}{worker.pk}/drain/", {"how": "now"}).status_code == 404
        checked = Client(enforce_csrf_checks=True)
        checked.force_login(make_user("more_staff", is_staff=True))
        assert checked.post(f"{PAGE}{worker.pk}/drain/", {"how": "now"}).status_code == 403
        worker.refresh_from_db()
        assert worker.drain == Drain.NO

    def test_draws_itself_again_and_stops_for_who_signed_out(
        self, client_of: Visit, staff: User
    ) -> None:
        make_worker(host="web-7")
        part = client_of(staff).get(f"{PAGE}rows/").content.decode()
        assert "web-7" in part and "<html" not in part
        assert client_of(None).get(f"{PAGE}rows/").status_code == 286

    def test_is_in_the_menu_of_staff(self, client_of: Visit, staff: User, owner: User) -> None:
        assert PAGE in client_of(staff).get("/").content.decode()
        assert PAGE not in client_of(owner).get("/").content.decode()


class TestTheApi:
    def test_tells_all_of_a_worker(self, api: ClientFactory, admin: User, project: Project) -> None:
        _, run = busy_worker(project)
        answer = api(admin).get(API).json()
        assert answer["count"] == 1
        [told] = answer["results"]
        doing = {"kind": "training-runs", "id": str(run.pk), "project": str(project.pk)}
        assert (told["state"], told["doing"], told["drain"]) == ("busy", [doing], "")
        assert told["gpu_memory_mb"] == 15360
        assert set(told) == {
            *("id", "name", "host", "queue", "gpu_name", "gpu_uuid", "gpu_memory_mb", "gpu_class"),
            *("compute_capability", "driver", "torch", "cuda", "state", "reason", "doing"),
            *("since", "started_at", "last_seen", "drain"),
        }

    def test_hides_what_may_not_be_seen(
        self, api: ClientFactory, staff: User, project: Project
    ) -> None:
        busy_worker(project)
        [told] = api(staff).get(API).json()["results"]
        assert told["doing"] == [{"kind": "training-runs", "id": None, "project": None}]

    def test_is_filtered_by_queue_and_card(self, api: ClientFactory, staff: User) -> None:
        make_worker(gpu_class="t4")
        make_worker(queue="imports", gpu_class="")
        client = api(staff)
        assert client.get(API, {"queue": "imports"}).json()["count"] == 1
        assert client.get(API, {"gpu_class": "t4"}).json()["count"] == 1

    def test_is_read_only_and_for_staff_alone(
        self, api: ClientFactory, staff: User, owner: User, project: Project
    ) -> None:
        make_worker()
        assert api(staff).post(API, {}).status_code == 405
        assert api(staff, "read").get(API).status_code == 200
        assert api(staff, "train").get(API).status_code == 403
        assert api(owner).get(API).status_code == 404
        make_member(project, staff, "viewer")
        _, secret = make_token(staff, project=project)
        confined = api()
        confined.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert confined.get(API).status_code == 404


@pytest.mark.parametrize("path", [PAGE, f"{PAGE}rows/", API])
def test_takes_as_many_queries_for_many_workers_as_for_two(
    admin: User, project: Project, path: str
) -> None:
    client = Client()
    client.force_login(admin)

    def queries() -> int:
        with CaptureQueriesContext(connection) as taken:
            assert client.get(path).status_code == 200
        return len(taken)

    for _ in range(2):
        busy_worker(project)
    few = queries()
    for _ in range(10):
        busy_worker(project)
    assert queries() == few


def _text(client: Client) -> str:
    answer: Any = client.get(PAGE)
    assert answer.status_code == 200
    return str(answer.content.decode())
