"""How the API shows what every job has: status, progress, error, log lines."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.errors import describe
from jobs.models import Job
from jobs.states import HELD, Status


class ProgressSerializer(serializers.Serializer[Any]):
    """How far a job is."""

    phase = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    percent = serializers.FloatField()
    eta_seconds = serializers.FloatField(allow_null=True)


class JobErrorSerializer(serializers.Serializer[Any]):
    """Why a job failed, in the reader's language."""

    code = serializers.CharField()
    message = serializers.CharField()
    hint = serializers.CharField()


class JobSerializerMixin(serializers.Serializer[Any]):
    """Adds `status`, `progress` and `error` to a ModelSerializer; name them in `Meta.fields`."""

    status = serializers.ChoiceField(choices=Status.choices, read_only=True)
    progress = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()

    @extend_schema_field(ProgressSerializer)
    def get_progress(self, job: Job) -> dict[str, Any]:
        """Return the last progress; a job that has not begun stands at nothing."""
        return progress_of(job)

    @extend_schema_field(JobErrorSerializer(allow_null=True))
    def get_error(self, job: Job) -> dict[str, str] | None:
        """Return what went wrong, or None."""
        return error_of(job.error)


class CursorSerializer(serializers.Serializer[Any]):
    """`?after=SEQ`: only what has a greater seq."""

    after = serializers.IntegerField(min_value=0, max_value=2**63 - 1, default=0)


class LogCursorSerializer(CursorSerializer):
    """`?after=SEQ`, or `?before=SEQ`: the last lines with a smaller seq."""

    before = serializers.IntegerField(min_value=0, max_value=2**63 - 1, required=False)


class LogLineSerializer(serializers.Serializer[Any]):
    """One line of a job's log."""

    seq = serializers.IntegerField()
    at = serializers.CharField()
    level = serializers.CharField()
    text = serializers.CharField()


class LogPageSerializer(serializers.Serializer[Any]):
    """Log lines, and the number to ask after next.

    `previous` comes where it was asked by `before`: what to give there for the lines before these;
    null where there are none.
    """

    lines = LogLineSerializer(many=True)
    next = serializers.IntegerField()
    previous = serializers.IntegerField(allow_null=True, required=False)


class EventPageSerializer(serializers.Serializer[Any]):
    """Frames as the WebSocket sends them, and the number to ask after next."""

    events = serializers.ListField(child=serializers.DictField())
    next = serializers.IntegerField()


class TicketSerializer(serializers.Serializer[Any]):
    """Opens one WebSocket as `?ticket=`, once, within a minute."""

    ticket = serializers.CharField()
    expires_at = serializers.DateTimeField()


def progress_of(job: Job) -> dict[str, Any]:
    """Return progress with every key of the contract.

    Only while somebody is at work there is a time left: a job that waits again, that has ended, or
    whose worker is silent keeps how far it came.
    """
    blank = {"phase": job.status, "done": 0, "total": 0, "percent": 0.0, "eta_seconds": None}
    progress = {**blank, **job.progress}
    if job.status not in HELD or job.heard_at is not None:
        progress["eta_seconds"] = None
    if job.status == Status.SUCCEEDED:
        progress["percent"] = 100.0
    return progress


def error_of(row: dict[str, Any] | None) -> dict[str, str] | None:
    """Return a stored error as sentences in the active language."""
    if not row:
        return None
    message, hint = describe(row["code"], row.get("params"))
    return {"code": row["code"], "message": message, "hint": hint}


def shown(frame: dict[str, Any]) -> dict[str, Any]:
    """Return a frame as people see it: an error as sentences in the active language."""
    if not frame.get("error"):
        return frame
    return {**frame, "error": error_of(frame["error"])}
