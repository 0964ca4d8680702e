"""Two owners who leave at the same moment."""

import threading

import pytest
from django.db import connection

from accounts.models import User
from jobs.errors import UserError
from projects import services
from projects.models import Project, Role
from tests.factories import make_member, make_project, make_user


@pytest.mark.django_db(transaction=True)
def test_one_of_them_stays() -> None:
    for _ in range(5):
        first, second = make_user(), make_user()
        project = make_project(first)
        make_member(project, second, Role.OWNER)
        refused = leave_at_once(project, [first, second])

        assert refused == ["last_owner"]
        assert project.memberships.filter(role=Role.OWNER).count() == 1


def leave_at_once(project: Project, users: list[User]) -> list[str]:
    start = threading.Barrier(len(users))
    refused: list[str] = []

    def leave(user: User) -> None:
        start.wait()
        try:
            services.remove_member(project=project, user=user)
        except UserError as error:
            refused.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=leave, args=[user]) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return refused
