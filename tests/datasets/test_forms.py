"""What the forms of step 1 take."""

import pytest
from django.utils import translation

from accounts.models import User
from datasets.forms import ResplitForm, ZipImportForm
from projects.models import Project
from tests.factories import make_upload


@pytest.mark.parametrize(
    ("percent", "is_fine"), [(0, False), (1, True), (91, True), (99, True), (100, False)]
)
def test_the_share_for_validation_is_neither_nothing_nor_all(percent: int, is_fine: bool) -> None:
    data = {"split_percent": str(percent)}
    assert ResplitForm(data).is_valid() == is_fine
    form = ZipImportForm(data, project=Project())
    assert ("split_percent" not in form.errors) == is_fine


class TestTheFile:
    """A file by the form, or an upload that arrived in pieces."""

    def _errors(self, project: Project, user: User, **data: object) -> list[str]:
        form = ZipImportForm({"split_percent": "20", **data}, project=project, user=user)
        return form.errors.get("file", [])

    def test_one_of_the_two_is_needed(self, project: Project, owner: User) -> None:
        assert len(self._errors(project, owner)) == 1

    def test_a_complete_upload_does(self, project: Project, owner: User) -> None:
        upload = make_upload(project, owner, offset=4)
        assert self._errors(project, owner, upload=upload.pk) == []

    def test_half_an_upload_does_not(self, project: Project, owner: User) -> None:
        upload = make_upload(project, owner, offset=2)
        with translation.override("en"):
            assert "2 of 4" in self._errors(project, owner, upload=upload.pk)[0]

    def test_nor_does_another_users(self, project: Project, owner: User, editor: User) -> None:
        upload = make_upload(project, editor, offset=4)
        assert len(self._errors(project, owner, upload=upload.pk)) == 1
