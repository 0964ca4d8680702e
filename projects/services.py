"""What people do with projects and their members."""

from django.db import transaction

import projects.errors  # noqa: F401  registers the codes
from accounts.models import ApiToken, User
from jobs.errors import UserError
from projects.deletion import end_jobs, remove_files, stored_files
from projects.models import Membership, Project, Role
from projects.names import clean_name


def create_project(*, user: User, name: str, description: str = "") -> Project:
    """Make a project that belongs to the user.

    Raises:
        ValidationError: the name is not one.
    """
    with transaction.atomic():
        project = Project.objects.create(
            name=clean_name(name), description=description, created_by=user
        )
        Membership.objects.create(project=project, user=user, role=Role.OWNER)
    return project


def update_project(
    *, project: Project, name: str | None = None, description: str | None = None
) -> Project:
    """Rename or describe a project; None leaves a field as it is.

    Raises:
        ValidationError: the name is not one.
    """
    if name is not None:
        project.name = clean_name(name)
    if description is not None:
        project.description = description
    project.save(update_fields=["name", "description"])
    return project


def delete_project(*, project: Project) -> None:
    """Remove a project with all that is in it; what still works on it loses its lease first.

    The worker of a job that is ended here finds at its next write that the job is not its own any
    more and leaves: nothing of the project is written again.
    """
    with transaction.atomic():
        # What begins under the same lock, such as an import, begins before this or not at all.
        Project.objects.select_for_update().get(pk=project.pk)
        end_jobs(project)
        files = stored_files(project)
        project.delete()
        transaction.on_commit(lambda: remove_files(files), robust=True)


def add_member(*, project: Project, user: User, role: str) -> Membership:
    """Let a user into a project.

    Raises:
        UserError: `already_member`.
    """
    membership, is_new = Membership.objects.get_or_create(
        project=project, user=user, defaults={"role": Role(role)}
    )
    if not is_new:
        raise UserError("already_member", username=user.get_username())
    return membership


def change_role(*, project: Project, user: User, role: str) -> Membership:
    """Give a member another role.

    Raises:
        Membership.DoesNotExist: the user is no member.
        UserError: `last_owner`.
    """
    with transaction.atomic():
        membership = _locked_membership(project, user)
        if role != Role.OWNER:
            _check_other_owner(membership)
        membership.role = Role(role)
        membership.save(update_fields=["role"])
    return membership


def remove_member(*, project: Project, user: User) -> None:
    """Put a member out; its tokens for this project go too, its sockets close at their next check.

    Raises:
        Membership.DoesNotExist: the user is no member.
        UserError: `last_owner`.
    """
    with transaction.atomic():
        membership = _locked_membership(project, user)
        _check_other_owner(membership)
        membership.delete()
        ApiToken.objects.filter(user=user, project=project).delete()


def _locked_membership(project: Project, user: User) -> Membership:
    """Return the membership; the project is locked, so that two owners cannot leave at once."""
    Project.objects.select_for_update().get(pk=project.pk)
    return Membership.objects.get(project=project, user=user)


def _check_other_owner(membership: Membership) -> None:
    if membership.role != Role.OWNER:
        return
    others = Membership.objects.filter(project=membership.project_id, role=Role.OWNER)
    if not others.exclude(pk=membership.pk).exists():
        raise UserError("last_owner")
