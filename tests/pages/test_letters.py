"""E-mails about ended jobs: one for each end, to whoever asked, whatever the mail server does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User
from cvtrainer_site import env
from datasets.models import Import
from jobs import notices, transitions
from jobs.models import EndNotice
from jobs.states import Status
from projects.models import Membership, Project
from tests import factories
from tests.jobs.conftest import wait_for
from tests.services.mail import MailServer
from tests.services.programs import Programs
from training.models import TrainingRun

End = Callable[..., Any]


@pytest.fixture
def person(editor: User) -> User:
    """Somebody who wants to be told."""
    editor.email, editor.email_when_done, editor.language = "an@shop.example", True, "en"
    editor.save()
    return editor


@pytest.fixture
def end(project: Project, person: User) -> End:
    """Make a run of theirs and end it as a worker does."""

    def end_run(to: Status = Status.SUCCEEDED, *, name: str = "Shelves #1", **fields: Any) -> Any:
        run = factories.make_run(project, created_by=person, name=name)
        claimed = transitions.claim(TrainingRun, run.pk, worker="w")
        assert claimed is not None
        assert transitions.finish(claimed, to, **fields)
        return claimed

    return end_run


def make_due() -> None:
    EndNotice.objects.update(next_try_at=timezone.now())


@pytest.mark.django_db
class TestALetter:
    def test_is_sent_once_and_tells_what_became_of_it(
        self, mail_server: MailServer, end: End, project: Project
    ) -> None:
        run = end(best={"epoch": 7, "map50": 0.912})
        assert notices.deliver() == 1
        assert notices.deliver() == 0
        assert not EndNotice.objects.exists()
        (letter,) = mail_server.letters
        assert letter["To"] == "an@shop.example"
        assert letter["From"] == "cvtrainer@shop.example"
        assert letter["Subject"] == "CVTrainer · Training Shelves #1: Succeeded"
        text = letter.get_content()
        assert f"project {project.name}" in text
        assert "mAP50 0.91 in epoch 7" in text
        assert f"https://cv.shop.example/training-runs/{run.pk}/" in text
        assert "https://cv.shop.example/account/" in text

    def test_speaks_the_language_of_the_person(
        self, mail_server: MailServer, end: End, person: User
    ) -> None:
        person.language = "vi"
        person.save()
        end(Status.FAILED, error={"code": "disk_full", "params": {}}, name="Kệ bia số 1")
        notices.deliver()
        (letter,) = mail_server.letters
        assert letter["Subject"].strip() == "CVTrainer · Huấn luyện Kệ bia số 1: Thất bại"
        assert "dung lượng" in letter.get_content()

    def test_tells_why_a_training_ended_early(self, mail_server: MailServer, end: End) -> None:
        end(stopped_early=True, stop_reason="patience", epoch=7, options={"patience": 5})
        notices.deliver()
        assert "not become better for 5 epochs" in mail_server.letters[0].get_content()

    def test_is_of_an_import_too(
        self, mail_server: MailServer, project: Project, person: User
    ) -> None:
        job = factories.make_import(project, created_by=person)
        claimed = transitions.claim(Import, job.pk, worker="w")
        assert claimed is not None
        transitions.finish(claimed, Status.SUCCEEDED)
        notices.deliver()
        assert f"/imports/{job.pk}/" in mail_server.letters[0].get_content()

    @pytest.mark.parametrize("name", ["a\r\nBcc: all@shop.example", "x" * 300, "\u202e kệ ✅"])
    def test_stands_any_name(self, mail_server: MailServer, end: End, name: str) -> None:
        end(name=name[:100])
        assert notices.deliver() == 1
        (letter,) = mail_server.letters
        assert letter["Bcc"] is None
        assert letter["To"] == "an@shop.example"

    def test_signs_in_where_the_server_wants_it(
        self, mail_server: MailServer, end: End, settings: Any
    ) -> None:
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "cv", "secret"
        end()
        notices.deliver()
        assert len(mail_server.letters) == len(mail_server.logins) == 1

    def test_about_each_end_of_a_run_that_went_on(self, mail_server: MailServer, end: End) -> None:
        run = end(Status.FAILED, error={"code": "disk_full", "params": {}})
        notices.deliver()
        transitions.requeue(run)
        again = transitions.claim(TrainingRun, run.pk, worker="w")
        assert again is not None
        transitions.finish(again, Status.SUCCEEDED)
        notices.deliver()
        subjects = [letter["Subject"].rsplit(": ", 1)[1] for letter in mail_server.letters]
        assert subjects == ["Failed", "Succeeded"]


@pytest.mark.django_db
class TestNobodyIsWrittenTo:
    def test_who_did_not_ask(self, mail_server: MailServer, end: End, person: User) -> None:
        User.objects.update(email_when_done=False)
        end()
        assert not EndNotice.objects.exists()

    def test_where_no_mail_server_is_set(self, end: End, settings: Any) -> None:
        assert settings.EMAIL_FROM == ""
        end()
        assert not EndNotice.objects.exists()

    def test_about_what_somebody_canceled(self, mail_server: MailServer, end: End) -> None:
        end(Status.CANCELED)
        assert not EndNotice.objects.exists()

    def test_about_an_end_that_was_rolled_back(self, mail_server: MailServer, end: End) -> None:
        with pytest.raises(RuntimeError), transaction.atomic():
            end()
            raise RuntimeError
        assert not EndNotice.objects.exists()

    @pytest.mark.parametrize(
        "change",
        [
            lambda run, person: User.objects.update(email_when_done=False),
            lambda run, person: User.objects.update(is_active=False),
            lambda run, person: User.objects.update(email=""),
            lambda run, person: Membership.objects.filter(user=person).delete(),
            lambda run, person: transitions.requeue(run),
            lambda run, person: TrainingRun.objects.all().delete(),
        ],
        ids=["switched_off", "deactivated", "no_address", "removed", "goes_on", "deleted"],
    )
    def test_who_may_not_hear_it_or_to_whom_it_is_no_news_any_more(
        self, mail_server: MailServer, end: End, person: User, change: Any
    ) -> None:
        change(end(Status.FAILED, error={"code": "disk_full", "params": {}}), person)
        assert notices.deliver() == 0
        assert mail_server.letters == []
        assert not EndNotice.objects.exists()


@pytest.mark.django_db
class TestAMailServer:
    @pytest.mark.parametrize(
        "answers",
        [
            {"EHLO": "CLOSE"},
            {"MAIL": "451 try later"},
            {"RCPT": "450 greylisted"},
            {"DATA": "554 no"},
            {"END": "452 full"},
        ],
    )
    def test_that_takes_nothing_now_is_asked_again(
        self, mail_server: MailServer, end: End, answers: dict[str, str]
    ) -> None:
        mail_server.answers = answers
        end()
        assert notices.deliver() == 0
        waits = EndNotice.objects.get().next_try_at - timezone.now()
        assert timedelta(seconds=30) < waits < timedelta(minutes=2)
        assert notices.deliver() == 0
        mail_server.answers, mail_server.letters = {}, []
        make_due()
        assert notices.deliver() == 1
        assert len(mail_server.letters) == 1

    def test_whose_answer_is_lost_may_get_it_twice_under_one_id(
        self, mail_server: MailServer, end: End
    ) -> None:
        mail_server.answers = {"END": "CLOSE"}
        end()
        notices.deliver()
        mail_server.answers = {}
        make_due()
        notices.deliver()
        assert len({letter["Message-ID"] for letter in mail_server.letters}) == 1

    def test_that_knows_nobody_of_that_name_is_not_asked_again(
        self, mail_server: MailServer, end: End
    ) -> None:
        mail_server.answers = {"RCPT": "550 no such user"}
        end()
        notices.deliver()
        assert not EndNotice.objects.exists()

    def test_that_is_away_is_asked_ever_more_seldom_and_given_up_after_a_day(
        self, mail_server: MailServer, end: End, settings: Any
    ) -> None:
        settings.EMAIL_PORT = 1
        end()
        waits = []
        for _ in range(5):
            notices.deliver()
            left = EndNotice.objects.get().next_try_at - timezone.now()
            waits.append(round(left.total_seconds() / 60))
            make_due()
        assert waits == [1, 5, 15, 60, 60]
        EndNotice.objects.update(created_at=timezone.now() - timedelta(days=2))
        notices.deliver()
        assert not EndNotice.objects.exists()

    def test_gets_one_letter_where_two_deliver_at_once(
        self, mail_server: MailServer, end: End, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end()
        read = list(EndNotice.objects.all())
        assert notices._deliver(read[0])
        EndNotice.objects.create(
            pk=read[0].pk, user=read[0].user, slug=read[0].slug, job_id=read[0].job_id,
            status=read[0].status, tries=1,
        )  # fmt: skip
        assert not notices._deliver(read[0])
        assert len(mail_server.letters) == 1


@pytest.mark.django_db(transaction=True)
def test_the_reconciler_delivers(mail_server: MailServer, end: End, programs: Programs) -> None:
    programs.manage(
        "reconcile_jobs",
        "--loop",
        *("--interval", "0.3"),
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=mail_server.port,
        EMAIL_USE_TLS=False,
        EMAIL_FROM="cvtrainer@shop.example",
    )
    end()
    wait_for(lambda: mail_server.letters)
    wait_for(lambda: not EndNotice.objects.exists())
    assert len(mail_server.letters) == 1


class TestTheAddressOfTheMailServer:
    def read(self, monkeypatch: pytest.MonkeyPatch, url: str, sender: str = "cv@x.example") -> Any:
        monkeypatch.setenv("CVTRAINER_EMAIL_URL", url)
        monkeypatch.setenv("CVTRAINER_EMAIL_FROM", sender)
        return env.email()

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("smtp://mail.example/", ("mail.example", 587, "", "", "starttls")),
            ("smtp://mail.example/?tls=none", ("mail.example", 25, "", "", "none")),
            ("smtp://mail.example?tls=ssl", ("mail.example", 465, "", "", "ssl")),
            ("smtp://a%40b:p%2Fw@[::1]:2525/", ("::1", 2525, "a@b", "p/w", "starttls")),
        ],
    )
    def test_is_understood(
        self, monkeypatch: pytest.MonkeyPatch, url: str, expected: tuple[Any, ...]
    ) -> None:
        found = self.read(monkeypatch, url)
        assert (found.host, found.port, found.user, found.password, found.tls) == expected

    @pytest.mark.parametrize(
        "url", ["mail.example", "http://mail.example", "smtp://", "smtp://x/?tls=yes", "smtp://x:y"]
    )
    def test_that_is_none_is_refused(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        with pytest.raises(ImproperlyConfigured):
            self.read(monkeypatch, url)

    def test_needs_a_sender(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ImproperlyConfigured):
            self.read(monkeypatch, "smtp://mail.example", "")

    def test_may_lie_in_a_file(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        file = tmp_path / "url"
        file.write_text("smtp://u:secret@mail.example\n")
        monkeypatch.setenv("CVTRAINER_EMAIL_URL_FILE", str(file))
        monkeypatch.setenv("CVTRAINER_EMAIL_FROM", "cv@x.example")
        found = env.email()
        assert found.password == "secret"
        assert "secret" not in repr(found)


@pytest.mark.django_db
class TestTheSwitch:
    def test_is_on_the_account_page(self, client: Client, person: User, settings: Any) -> None:
        settings.EMAIL_FROM = "cvtrainer@shop.example"
        client.force_login(person)
        assert 'name="wanted" value="off"' in client.get("/account/").content.decode()
        client.post("/account/letters/", {"wanted": "off"})
        person.refresh_from_db()
        assert not person.email_when_done
        client.post("/account/letters/", {"wanted": "on"})
        person.refresh_from_db()
        assert person.email_when_done

    def test_is_not_there_where_it_would_do_nothing(
        self, client: Client, person: User, settings: Any
    ) -> None:
        client.force_login(person)
        assert "account/letters/" not in client.get("/account/").content.decode()
        settings.EMAIL_FROM = "cvtrainer@shop.example"
        User.objects.update(email="")
        assert "account/letters/" not in client.get("/account/").content.decode()
