"""What the forms of step 1 take."""

import pytest

from datasets.forms import ResplitForm, ZipImportForm
from projects.models import Project


@pytest.mark.parametrize(
    ("percent", "is_fine"), [(0, False), (1, True), (91, True), (99, True), (100, False)]
)
def test_the_share_for_validation_is_neither_nothing_nor_all(percent: int, is_fine: bool) -> None:
    data = {"split_percent": str(percent)}
    assert ResplitForm(data).is_valid() == is_fine
    form = ZipImportForm(data, project=Project())
    assert ("split_percent" not in form.errors) == is_fine
