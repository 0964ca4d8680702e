"""Projects through the API."""

import pytest

from accounts.models import User
from jobs import transitions
from jobs.states import Status
from projects.models import Membership, Project
from tests.factories import make_dataset, make_member, make_model, make_project, make_run
from tests.personas import ClientFactory

URL = "/api/v1/projects/"


def test_creating_makes_the_caller_owner(api: ClientFactory, outsider: User) -> None:
    answer = api(outsider).post(URL, {"name": "Kệ bia", "description": "Hà Nội"})

    assert answer.status_code == 201
    body = answer.json()
    assert body.items() >= {"name": "Kệ bia", "description": "Hà Nội", "role": "owner"}.items()
    assert body["datasets"] == body["training_runs"] == body["models"] == 0
    assert Membership.objects.get(project_id=body["id"]).user == outsider


def test_counts_are_of_the_project(api: ClientFactory, project: Project, viewer: User) -> None:
    run = make_run(project)
    make_dataset(project)
    make_model(project)
    make_model(project)
    make_run()

    body = api(viewer).get(f"{URL}{project.pk}/").json()

    assert (body["datasets"], body["training_runs"], body["models"]) == (2, 1, 2)
    assert body["role"] == "viewer"
    assert run.project_id == project.pk


def test_a_list_shows_only_ones_own(api: ClientFactory, project: Project, viewer: User) -> None:
    make_project()

    body = api(viewer).get(URL).json()

    assert body["count"] == 1
    assert [row["id"] for row in body["results"]] == [str(project.pk)]
    assert body["next"] is body["previous"] is None


def test_a_stranger_gets_404_and_an_editor_403(
    api: ClientFactory, project: Project, outsider: User, editor: User
) -> None:
    url = f"{URL}{project.pk}/"

    for method in ("get", "patch", "delete"):
        assert getattr(api(outsider), method)(url).status_code == 404
    assert api(editor).get(url).status_code == 200
    assert api(editor).patch(url, {"name": "Mine"}).status_code == 403
    assert api(editor).delete(url).status_code == 403
    assert Project.objects.get().name == "Shelves"


def test_an_owner_renames(api: ClientFactory, project: Project, owner: User) -> None:
    answer = api(owner).patch(f"{URL}{project.pk}/", {"name": "  Tu\u0309 la\u0323nh "})

    assert answer.status_code == 200
    assert answer.json()["name"] == "Tủ lạnh"


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 101, "a\u202eb", "line\nbreak", "nul\x00", None, ["a"], {"a": 1}]
)
def test_a_bad_name_is_refused(api: ClientFactory, owner: User, name: object) -> None:
    answer = api(owner).post(URL, {"name": name})

    assert answer.status_code == 400
    assert not Project.objects.exists()


def test_unknown_fields_are_refused_and_read_only_ones_ignored(
    api: ClientFactory, owner: User, project: Project
) -> None:
    url = f"{URL}{project.pk}/"

    assert api(owner).patch(url, {"owner": "x"}).status_code == 400
    read = api(owner).get(url).json()
    answer = api(owner).patch(url, {**read, "role": "viewer", "name": "New"})

    assert answer.status_code == 200
    assert answer.json() == {**read, "name": "New"}


def test_deleting_ends_the_work_and_its_worker_writes_nothing_more(
    api: ClientFactory, owner: User, project: Project
) -> None:
    run = make_run(project)
    held = transitions.claim(type(run), run.pk, worker="w")
    assert held is not None
    queued = make_run(project)

    assert api(owner).delete(f"{URL}{project.pk}/").status_code == 204

    assert not Project.objects.exists()
    assert not transitions.renew(held)
    assert not transitions.move(held, Status.SUCCEEDED)
    assert transitions.claim(type(queued), queued.pk, worker="w") is None


def test_deleting_leaves_other_projects(api: ClientFactory, owner: User, project: Project) -> None:
    other = make_run(make_project(owner))

    api(owner).delete(f"{URL}{project.pk}/")

    other.refresh_from_db()
    assert other.status == Status.QUEUED


def test_a_token_of_another_project_sees_nothing_here(
    api: ClientFactory, owner: User, project: Project
) -> None:
    other = make_project(owner)
    client = api(owner, "read", "manage", project=other)

    assert [row["id"] for row in client.get(URL).json()["results"]] == [str(other.pk)]
    assert client.get(f"{URL}{project.pk}/").status_code == 404
    assert client.delete(f"{URL}{project.pk}/").status_code == 404
    assert client.post(URL, {"name": "Another"}).status_code == 403


def test_a_superuser_acts_as_owner(api: ClientFactory, admin: User, project: Project) -> None:
    assert api(admin).get(f"{URL}{project.pk}/").json()["role"] == "owner"
    assert api(admin).patch(f"{URL}{project.pk}/", {"name": "Seen"}).status_code == 200


def test_staff_is_no_role(api: ClientFactory, outsider: User, project: Project) -> None:
    outsider.is_staff = True
    outsider.save()

    assert api(outsider).get(f"{URL}{project.pk}/").status_code == 404


def test_members_of_two_projects_have_two_roles(
    api: ClientFactory, viewer: User, project: Project
) -> None:
    other = make_project()
    make_member(other, viewer, "editor")

    rows = api(viewer).get(URL, {"ordering": "created_at"}).json()["results"]

    assert [(row["id"], row["role"]) for row in rows] == [
        (str(project.pk), "viewer"),
        (str(other.pk), "editor"),
    ]
