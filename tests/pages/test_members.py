"""Members of a project, by hand."""

from django.urls import reverse

from accounts.models import User
from projects.models import Project
from tests.pages.conftest import Visit


def test_an_unknown_or_present_person_is_refused_beside_the_field(
    client_of: Visit, owner: User, viewer: User, project: Project
) -> None:
    url = reverse("projects:member_list", args=[project.pk])
    for name in ("nobody-here", "viewer"):
        page = client_of(owner).post(url, {"username": name, "role": "editor"})
        assert "username" in page.context["form"].errors
    assert project.memberships.get(user=viewer).role == "viewer"


def test_the_last_owner_stays(client_of: Visit, owner: User, project: Project) -> None:
    client, ids = client_of(owner), [project.pk, owner.pk]
    for name, body in (("member_edit", {"role": "viewer"}), ("member_remove", {})):
        page = client.post(reverse(f"projects:{name}", args=ids), body, follow=True)
        assert "one owner" in page.content.decode()
    assert project.memberships.get(user=owner).role == "owner"


def test_who_leaves_is_led_home(
    client_of: Visit, owner: User, outsider: User, project: Project
) -> None:
    project.memberships.create(user=outsider, role="owner")
    url = reverse("projects:member_remove", args=[project.pk, outsider.pk])
    assert client_of(outsider).post(url)["Location"] == "/"
    assert not project.memberships.filter(user=outsider).exists()
