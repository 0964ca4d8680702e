"""Who opens a socket, and whether they still may: asked again while it stays open."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.utils import timezone

from jobs.models import Job, StreamTicket
from jobs.tickets import redeem_ticket


@dataclass
class Visitor:
    """A person by session, or a machine by ticket; every question asks the database again."""

    session_key: str | None = None
    ticket: StreamTicket | None = None

    @classmethod
    def admit(cls, *, session_key: str | None, ticket: str | None) -> "Visitor":
        """Take what a socket brings; a ticket is used up by this."""
        if ticket is not None:
            return cls(ticket=redeem_ticket(ticket))
        return cls(session_key=session_key)

    def user(self) -> Any:
        """Return who it is now, confined as their token is; None where they are nobody any more."""
        user = self._user_of_ticket() if self.ticket else self._user_of_session()
        return user if user is not None and user.is_authenticated and user.is_active else None

    def _user_of_session(self) -> Any:
        if not self.session_key:
            return None
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(self.session_key)
        return get_user(request)

    def _user_of_ticket(self) -> Any:
        assert self.ticket is not None
        user: Any = type(self.ticket.user)._default_manager.filter(pk=self.ticket.user_id).first()
        if user is None or self.ticket.token_id is None:
            return user
        tokens: Any = StreamTicket._meta.get_field("token").related_model
        token = tokens.objects.filter(pk=self.ticket.token_id).first()
        if token is None or (token.expiry is not None and token.expiry <= timezone.now()):
            return None
        user.confined_to_project_id = token.project_id
        return user


def sees(user: Any, model: type[Job] | None, job_id: str) -> bool:
    """Whether a user may see a job; one of no model does not exist."""
    manager: Any = model and model._default_manager
    return bool(manager and manager.visible_to(user).filter(pk=job_id).exists())
