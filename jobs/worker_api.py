"""The API of workers: who works on what, for staff; nothing is changed here."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from jobs.serializers import JobErrorSerializer, error_of
from jobs.work_at_hand import AtHand, work_at_hand
from jobs.worker_rows import STANDINGS, Drain, Worker


class AtHandSerializer(serializers.Serializer[Any]):
    """A job that a worker holds; without id and project where the caller may not see it."""

    kind = serializers.CharField(source="slug")
    id = serializers.UUIDField(source="job.pk", allow_null=True, default=None)
    project = serializers.UUIDField(source="job.project_id", allow_null=True, default=None)


class WorkerSerializer(serializers.ModelSerializer[Worker]):
    """A worker: its host and card, how it stands, what it does."""

    state = serializers.ChoiceField(source="standing", choices=list(STANDINGS.items()))
    drain = serializers.ChoiceField(choices=Drain.choices)
    reason = serializers.SerializerMethodField()
    doing = serializers.SerializerMethodField()

    class Meta:
        model = Worker
        fields = [
            "id",
            "name",
            "host",
            "queue",
            "gpu_name",
            "gpu_uuid",
            "gpu_memory_mb",
            "gpu_class",
            "compute_capability",
            "driver",
            "torch",
            "cuda",
            "state",
            "reason",
            "doing",
            "since",
            "started_at",
            "last_seen",
            "drain",
        ]
        read_only_fields = fields

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_reason(self, worker: Worker) -> dict[str, str] | None:
        """Return why it does not work, or None."""
        return error_of(worker.reason)

    @extend_schema_field(AtHandSerializer(many=True))
    def get_doing(self, worker: Worker) -> Any:
        """Return the jobs that it holds."""
        at_hand: dict[str, list[AtHand]] = self.context["at_hand"]
        return AtHandSerializer(at_hand.get(worker.name, []), many=True).data


class WorkerViewSet(ListModelMixin, GenericViewSet[Worker]):
    """Workers, for staff."""

    queryset = Worker.objects.with_standing()
    serializer_class = WorkerSerializer
    http_method_names = ["get", "head", "options"]
    filterset_fields = ("queue", "gpu_class", "host")
    ordering_fields = ("host", "queue", "last_seen", "since", "started_at")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return all workers, also those that were lost since yesterday.

        Raises:
            NotFound: to who is not of staff, and to a token for one project, there is nothing.
        """
        user: Any = request.user
        if not user.is_staff or getattr(user, "confined_to_project_id", None) is not None:
            raise NotFound
        return super().list(request, *args, **kwargs)

    def paginate_queryset(self, queryset: Any) -> Any:
        """Find out what the workers of the page do."""
        page = super().paginate_queryset(queryset)
        self._at_hand = work_at_hand(page or [], self.request.user)
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        """Hand it to the serializer."""
        return {**super().get_serializer_context(), "at_hand": getattr(self, "_at_hand", {})}
