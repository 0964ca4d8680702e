"""What the API offers for every job: its log, its events, cancelling; and tickets for sockets."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from jobs import queue, tickets
from jobs.models import Job, JobEvent
from jobs.serializers import (
    CursorSerializer,
    EventPageSerializer,
    LogCursorSerializer,
    LogLineSerializer,
    LogPageSerializer,
    TicketSerializer,
    shown,
)

_PAGE = 500


class JobActionsMixin(GenericViewSet[Any]):
    """Adds `logs/`, `events/` and `cancel/` to the viewset of a job.

    The viewset's queryset is scoped by `visible_to`, and its `write_scope` names the scope that a
    token needs to cancel. Who may cancel says its `action_roles`; where it has none, whoever may
    edit, by the `editable_by` of its model's manager.
    """

    @extend_schema(parameters=[LogCursorSerializer], responses=LogPageSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def logs(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return up to 500 log lines behind `after`; `next` is what to ask after next.

        With `before` in its place, the last 500 lines before it, in the same order.
        """
        if "before" in request.query_params:
            return self._logs_before(request)
        after, events = self._events_after(request, type=JobEvent.Type.LOG)
        lines = LogLineSerializer(events, many=True).data
        return Response({"lines": lines, "next": events[-1]["seq"] if events else after})

    @extend_schema(parameters=[CursorSerializer], responses=EventPageSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def events(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return up to 500 frames behind `after`, the same as the WebSocket sends."""
        after, events = self._events_after(request)
        return Response({"events": events, "next": events[-1]["seq"] if events else after})

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, *_: Any, **__: Any) -> Response:
        """Cancel: at once where it waits, within seconds where it runs."""
        job = self.get_object()
        # A viewset with roles has asked for them already, as for every write.
        if not hasattr(self, "action_roles"):
            _require_editor(request, job)
        queue.cancel(job)
        shown = getattr(self, "shown", lambda row: self.get_serializer(row).data)
        return Response(shown(self.get_object()), status=status.HTTP_202_ACCEPTED)

    def _logs_before(self, request: Request) -> Response:
        query = LogCursorSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        before: int = query.validated_data["before"]
        lines = self._stories(type=JobEvent.Type.LOG).before(before, limit=_PAGE + 1)
        # One more than is shown: it tells whether there are any before these.
        events = [row.frame() for row in lines]
        shown_lines = LogLineSerializer(events[:_PAGE][::-1], many=True).data
        is_more = len(events) > _PAGE
        return Response(
            {
                "lines": shown_lines,
                "next": events[0]["seq"] if events else max(0, before - 1),
                "previous": events[_PAGE - 1]["seq"] if is_more else None,
            }
        )

    def _events_after(self, request: Request, **only: Any) -> tuple[int, list[dict[str, Any]]]:
        query = CursorSerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        after: int = query.validated_data["after"]
        rows = self._stories(**only).after(after, limit=_PAGE)
        return after, [shown(row.frame()) for row in rows]

    def _stories(self, **only: Any) -> Any:
        """Return the frames of the job that the address names."""
        job: Job = self.get_object()
        events: Any = job.event_model().objects
        return events.filter(job_id=job.pk, **only)


def _require_editor(request: Request, job: Job) -> None:
    """Refuse who may see the job but not change it.

    Raises:
        PermissionDenied: the role is too small.
    """
    manager: Any = type(job)._default_manager
    if not manager.editable_by(request.user).filter(pk=job.pk).exists():
        raise PermissionDenied


class TicketView(APIView):
    """Tickets for WebSockets."""

    write_scope = "read"

    @extend_schema(request=None, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """Make a ticket that opens one WebSocket within 60 seconds."""
        text, ticket = tickets.issue_ticket(user=request.user, token=request.auth)
        answer = TicketSerializer({"ticket": text, "expires_at": ticket.expires_at})
        return Response(answer.data, status=status.HTTP_201_CREATED)
