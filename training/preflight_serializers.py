"""How the API shows presets, and what a training would find and take."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from datasets.models import DatasetVersion
from projects.serializer_base import ScopedField, ScopedSerializer
from training.preflight import Preflight


class PresetQuerySerializer(ScopedSerializer):
    """For which data presets are asked for."""

    dataset_version = ScopedField(
        queryset=DatasetVersion.objects.select_related("dataset__project").all()
    )


class PresetSerializer(serializers.Serializer[Any]):
    """Settings that suit the data; each names the same `options`, so that one replaces another."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    help = serializers.CharField()
    base_model = serializers.CharField()
    options = serializers.DictField()


class PresetsSerializer(serializers.Serializer[Any]):
    """All presets."""

    results = PresetSerializer(many=True)


class PreflightFindingSerializer(serializers.Serializer[Any]):
    """Something to know before a training is started."""

    code = serializers.CharField()
    level = serializers.ChoiceField(choices=["stop", "warn", "note"])
    message = serializers.CharField()
    hint = serializers.CharField()


class CardSerializer(serializers.Serializer[Any]):
    """What a training would take on one class of cards; `seconds` are the most it may take."""

    gpu_class = serializers.CharField()
    name = serializers.CharField()
    workers = serializers.IntegerField()
    memory_mb = serializers.IntegerField(allow_null=True)
    needed_mb = serializers.IntegerField(allow_null=True)
    largest_batch = serializers.IntegerField(allow_null=True)
    failed_batch = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    is_rough = serializers.BooleanField()
    is_limited = serializers.BooleanField()
    cost = serializers.FloatField(allow_null=True)


class PreflightSerializer(serializers.Serializer[Any]):
    """Whether a training would be taken, and what it would take."""

    is_ready = serializers.BooleanField()
    findings = serializers.SerializerMethodField()
    cards = CardSerializer(many=True)
    currency = serializers.SerializerMethodField()

    @extend_schema_field(PreflightFindingSerializer(many=True))
    def get_findings(self, found: Preflight) -> list[dict[str, Any]]:
        """Return them with their sentences in the reader's language."""
        return [finding.as_json() for finding in found.findings]

    def get_currency(self, _found: Preflight) -> str:
        """Return the currency of the costs."""
        return str(settings.CURRENCY)
