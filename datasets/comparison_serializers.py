"""How the API shows the differences between two versions."""

from typing import Any

from rest_framework import serializers

from datasets.comparison import ClassChange, Comparison, Pictures
from datasets.models import DatasetVersion
from projects.serializer_base import ScopedField, ScopedSerializer


class PicturesSerializer(serializers.Serializer[Pictures]):
    """Some pictures: how many, and the ids of the first images."""

    count = serializers.IntegerField()
    examples = serializers.ListField(child=serializers.UUIDField())


class ClassChangeSerializer(serializers.Serializer[ClassChange]):
    """Boxes of a class before and now; null where the version has no such class."""

    name = serializers.CharField()
    before = serializers.IntegerField(allow_null=True)
    now = serializers.IntegerField(allow_null=True)
    difference = serializers.IntegerField()


class ComparisonSerializer(serializers.Serializer[Comparison]):
    """What is different, seen from the later version."""

    added = PicturesSerializer()
    removed = PicturesSerializer()
    relabelled = PicturesSerializer()
    moved = PicturesSerializer()
    same = serializers.IntegerField()
    classes = ClassChangeSerializer(many=True)


class CompareQuerySerializer(ScopedSerializer):
    """`?with=`: the earlier version."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Return the one field; `with` is no name for an attribute."""
        rows = DatasetVersion.objects.ready().select_related("dataset")
        return {"with": ScopedField(queryset=rows)}
