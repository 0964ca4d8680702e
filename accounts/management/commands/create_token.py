"""`manage.py create_token USER --scopes …`: prints the token, alone on a line."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import ApiToken, Scope, User
from accounts.services import USUAL, create_token


class Command(BaseCommand):
    """Nothing but the token goes to standard output, so that scripts can take it."""

    help = "Make an API token for a user."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("user")
        parser.add_argument(
            "--scopes", required=True, help=f"of {','.join(Scope.values)}, separated by commas"
        )
        parser.add_argument("--project", metavar="ID", help="the only project that it reaches")
        parser.add_argument("--days", type=int, default=USUAL.days, help="until it ends")
        parser.add_argument("--name", default="manage.py", help="what the list of tokens shows")

    def handle(
        self,
        *_: Any,
        user: str,
        scopes: str,
        project: str | None,
        days: int,
        name: str,
        **__: Any,
    ) -> None:
        """Make the token and print its secret."""
        owner = User.objects.filter(username=user, is_active=True).first()
        if owner is None:
            raise CommandError(f"There is no active user {user}.")
        try:
            _token, secret = create_token(
                user=owner,
                name=name,
                scopes=[scope.strip() for scope in scopes.split(",") if scope.strip()],
                project=_project(owner, project) if project else None,
                expires_at=timezone.now() + timedelta(days=days),
            )
        except (ValidationError, OverflowError) as error:
            raise CommandError(" ".join(getattr(error, "messages", [str(error)]))) from error
        self.stdout.write(secret)


def _project(user: User, project_id: str) -> Any:
    model: Any = ApiToken._meta.get_field("project").related_model
    try:
        project = model.objects.visible_to(user).filter(pk=project_id).first()
    except ValidationError:
        project = None
    if project is None:
        raise CommandError(f"{user} is not a member of a project {project_id}.")
    return project
