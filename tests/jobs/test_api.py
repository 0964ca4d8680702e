"""What the API offers of every job, tried on a viewset of fake jobs."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.db.models.functions import Now
from django.utils import translation
from rest_framework import serializers
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.viewsets import ReadOnlyModelViewSet

from jobs import transitions
from jobs.api import JobActionsMixin, TicketView
from jobs.errors import UserError
from jobs.models import NO_LEASE
from jobs.serializers import JobSerializerMixin
from jobs.states import Status
from jobs.tickets import redeem_ticket
from jobs.transitions import append, claim
from tests.fake_jobs.models import FakeJob

User = get_user_model()


class FakeSerializer(JobSerializerMixin, serializers.ModelSerializer):
    class Meta:
        model = FakeJob
        fields = ["id", "status", "progress", "error"]


class FakeViewSet(JobActionsMixin, ReadOnlyModelViewSet):
    serializer_class = FakeSerializer
    write_scope = "train"

    def get_queryset(self):
        return FakeJob.objects.visible_to(self.request.user)


@pytest.fixture
def owner():
    return User.objects.create_user("owner")


@pytest.fixture
def viewer():
    return User.objects.create_user("viewer")


@pytest.fixture
def mine(owner, viewer) -> FakeJob:
    job = FakeJob.objects.create(created_by=owner)
    job.viewers.add(viewer)
    return job


def ask(user, job, action: str, method: str = "get", language: str = "en", **query):
    request = getattr(APIRequestFactory(), method)("/", query)
    force_authenticate(request, user)
    view = FakeViewSet.as_view({method: action})
    with translation.override(language):
        response = view(request, pk=str(job.pk))
        return response.status_code, json.loads(response.render().content or "null")


def tell(job: FakeJob, count: int) -> FakeJob:
    running = claim(FakeJob, job.pk, worker="w1")
    assert running is not None
    append(running, [("log", {"level": "info", "text": f"line {n}"}) for n in range(count)])
    append(running, [("epoch", {"epoch": 1})])
    return running


class TestLogs:
    def test_come_with_the_number_to_ask_after_next(self, mine, owner):
        tell(mine, 3)
        status, page = ask(owner, mine, "logs")
        assert status == 200
        assert [line["seq"] for line in page["lines"]] == [2, 3, 4]
        assert set(page["lines"][0]) == {"seq", "at", "level", "text"}
        assert page["lines"][0]["at"].endswith("Z")
        assert page["next"] == 4
        assert ask(owner, mine, "logs", after=page["next"]) == (200, {"lines": [], "next": 4})

    def test_come_in_pages(self, mine, owner):
        tell(mine, 1200)
        got, after = [], 0
        while True:
            _, page = ask(owner, mine, "logs", after=after)
            if not page["lines"]:
                break
            assert len(page["lines"]) <= 500
            got += [line["text"] for line in page["lines"]]
            after = page["next"]
        assert got == [f"line {n}" for n in range(1200)]

    def test_before_a_number_come_backwards_in_pages(self, mine, owner):
        tell(mine, 1200)
        got, before = [], 1201  # the first frame tells the status: line n has the number n + 2
        while before is not None:
            _, page = ask(owner, mine, "logs", before=before)
            assert len(page["lines"]) <= 500
            assert page["next"] == before - 1
            got = [line["text"] for line in page["lines"]] + got
            before = page["previous"]
        assert got == [f"line {n}" for n in range(1199)]
        assert page["lines"][0]["seq"] == 2

    def test_before_the_first_there_are_none(self, mine, owner):
        tell(mine, 3)
        nothing = {"lines": [], "next": 1, "previous": None}
        assert ask(owner, mine, "logs", before=2) == (200, nothing)
        assert ask(owner, mine, "logs", before="x")[0] == 400

    @pytest.mark.parametrize("after", ["x", "-1", "1.5", str(2**63), "9" * 5000])
    def test_behind_no_number_are_refused(self, mine, owner, after):
        assert ask(owner, mine, "logs", after=after)[0] == 400

    def test_of_others_do_not_exist(self, mine):
        outsider = User.objects.create_user("outsider")
        for action in ("logs", "events"):
            assert ask(outsider, mine, action)[0] == 404

    def test_are_read_by_viewers(self, mine, viewer):
        assert ask(viewer, mine, "logs")[0] == 200


class TestEvents:
    def test_are_the_frames_of_the_socket(self, mine, owner):
        running = tell(mine, 1)
        transitions.finish(
            running, Status.FAILED, error=UserError("internal", incident="x").as_row()
        )
        _, page = ask(owner, mine, "events", after=1)
        assert [frame["type"] for frame in page["events"]] == ["log", "epoch", "status"]
        assert page["events"][1]["epoch"] == 1
        assert page["events"][2]["error"]["message"].endswith("The incident number is x.")
        assert page["next"] == 4


class TestCancel:
    def test_of_a_waiting_job_is_done_at_once(self, mine, owner):
        status, body = ask(owner, mine, "cancel", "post")
        assert (status, body["status"]) == (202, "canceled")

    def test_of_a_running_one_is_noted(self, mine, owner):
        tell(mine, 1)
        status, body = ask(owner, mine, "cancel", "post")
        assert (status, body["status"]) == (202, "running")
        mine.refresh_from_db()
        assert mine.cancel_requested_at is not None

    def test_of_an_ended_one_is_a_conflict(self, mine, owner):
        ask(owner, mine, "cancel", "post")
        assert ask(owner, mine, "cancel", "post")[0] == 409

    def test_is_not_for_viewers(self, mine, viewer):
        assert ask(viewer, mine, "cancel", "post")[0] == 403
        mine.refresh_from_db()
        assert mine.status == Status.QUEUED

    def test_is_nothing_to_outsiders(self, mine):
        assert ask(User.objects.create_user("outsider"), mine, "cancel", "post")[0] == 404


class TestTheJobItself:
    def test_shows_every_key_of_progress_before_it_begins(self, mine, owner):
        _, body = ask(owner, mine, "retrieve")
        assert body["progress"] == {
            "phase": "queued",
            "done": 0,
            "total": 0,
            "percent": 0.0,
            "eta_seconds": None,
        }
        assert body["error"] is None

    def test_is_complete_when_it_succeeded(self, mine, owner):
        running = claim(FakeJob, mine.pk, worker="w1")
        append(running, [], progress={"phase": "train", "done": 3, "total": 4, "percent": 75.0})
        transitions.finish(running, Status.SUCCEEDED)
        _, body = ask(owner, mine, "retrieve")
        assert (body["progress"]["phase"], body["progress"]["percent"]) == ("train", 100.0)

    @pytest.mark.parametrize(
        ("fields", "seconds"),
        [
            ({"status": Status.RUNNING}, 8.5),
            ({"status": Status.STOPPING}, 8.5),
            ({"status": Status.RUNNING, "lease_until": NO_LEASE}, None),
            ({"status": Status.QUEUED, "lease_until": NO_LEASE}, None),
            ({"status": Status.FAILED, "finished_at": Now()}, None),
            ({"status": Status.CANCELED, "finished_at": Now()}, None),
            ({"status": Status.SUCCEEDED, "finished_at": Now()}, None),
        ],
    )
    def test_has_time_left_only_while_somebody_is_at_work(self, mine, owner, fields, seconds):
        running = claim(FakeJob, mine.pk, worker="w1")
        done = {"phase": "train", "done": 3, "total": 4, "percent": 75.0, "eta_seconds": 8.5}
        append(running, [], progress=done)
        FakeJob.objects.update(**fields)

        _, body = ask(owner, mine, "retrieve")

        assert body["progress"]["eta_seconds"] == seconds
        assert (body["progress"]["phase"], body["progress"]["done"]) == ("train", 3)

    def test_says_what_went_wrong_and_what_to_do(self, mine, owner):
        error = UserError("worker_lost", losses=3).as_row()
        FakeJob.objects.update(status="failed", finished_at="2026-01-01T00:00Z", error=error)
        _, body = ask(owner, mine, "retrieve")
        assert body["error"]["code"] == "worker_lost"
        assert "3 times" in body["error"]["message"]
        assert body["error"]["hint"]

    @pytest.mark.parametrize(
        "row", [{"code": "gone_in_this_release"}, {"code": "worker_lost", "params": {}}]
    )
    def test_survives_an_error_of_another_release(self, mine, owner, row):
        FakeJob.objects.update(status="failed", finished_at="2026-01-01T00:00Z", error=row)
        status, body = ask(owner, mine, "retrieve")
        assert status == 200
        assert body["error"]["message"]


def test_a_ticket_is_handed_out_once(owner):
    request = APIRequestFactory().post("/")
    force_authenticate(request, owner)
    response = TicketView.as_view()(request)
    assert response.status_code == 201
    ticket = redeem_ticket(response.data["ticket"])
    assert ticket is not None
    assert ticket.user == owner
    assert redeem_ticket(response.data["ticket"]) is None
