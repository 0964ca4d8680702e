"""How the API shows what can be done about an error, and what it takes to go on."""

from typing import Any

from rest_framework import serializers

from jobs.serializers import JobErrorSerializer
from projects.serializer_base import ScopedSerializer


class ActionSerializer(serializers.Serializer[Any]):
    """Something that can be done about an error: a request that does it, or a page to look at."""

    code = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    method = serializers.ChoiceField(choices=["GET", "POST"])
    url = serializers.CharField()
    body = serializers.DictField()


class RunErrorSerializer(JobErrorSerializer):
    """Why a run failed, and what can be done about it."""

    actions = ActionSerializer(many=True)


class AdjustedSerializer(serializers.Serializer[Any]):
    """What had to be made smaller since the run began, and because of which error."""

    batch = serializers.IntegerField(required=False)
    batch_before = serializers.IntegerField(required=False)
    loader_workers = serializers.IntegerField(required=False)
    because = serializers.CharField(required=False)


class ResumeSerializer(ScopedSerializer):
    """How to go on: as before where nothing is said; values are checked by `training.resuming`."""

    batch = serializers.JSONField(required=False)
    imgsz = serializers.JSONField(required=False)
    patience = serializers.JSONField(required=False)
    finish = serializers.BooleanField(
        required=False, default=False, help_text="Train no further; keep the best model so far."
    )
