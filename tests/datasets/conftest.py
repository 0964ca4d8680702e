"""What the tests of imports share."""

from typing import Any

import pytest

from accounts.models import User
from projects.models import Project
from tests.datasets.importing import Bring, import_zip
from tests.storage.zips import zip_of


@pytest.fixture
def no_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait in the database; the test does their work itself."""
    monkeypatch.setattr("jobs.queue.deliver", lambda job, **_: True)


@pytest.fixture
def bring(project: Project, owner: User, no_delivery: None) -> Bring:
    """Import files or ready bytes into the project, as its owner."""

    def bring_in(content: Any, **options: Any) -> Any:
        data = content if isinstance(content, bytes) else zip_of(content)
        return import_zip(project, owner, data, **options)

    return bring_in
