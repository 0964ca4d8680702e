"""How the API shows what a run brought, picture by picture."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from datasets.serializers import ImageBoxSerializer
from training.stored_results import Compared

_MOST_PICTURES = 100


class PredictionsQuerySerializer(serializers.Serializer[Any]):
    """Which of the kept pictures; the first ones are the worst."""

    start = serializers.IntegerField(min_value=0, max_value=100_000, default=0)
    limit = serializers.IntegerField(min_value=1, max_value=_MOST_PICTURES, default=24)


class ClassCountSerializer(serializers.Serializer[Any]):
    """How many of a class are there, and how many were counted."""

    class_name = serializers.CharField()
    true = serializers.IntegerField()
    predicted = serializers.IntegerField()


class CornersSerializer(serializers.Serializer[Any]):
    """A box in pixels of the upright picture."""

    x1 = serializers.FloatField()
    y1 = serializers.FloatField()
    x2 = serializers.FloatField()
    y2 = serializers.FloatField()


class PredictionSerializer(serializers.Serializer[Any]):
    """A box that the model found; `match` is the index in `truth` of the one it finds, or null."""

    class_id = serializers.IntegerField()
    class_name = serializers.CharField()
    confidence = serializers.FloatField()
    box = CornersSerializer()
    match = serializers.IntegerField(allow_null=True)


class PicturePredictionsSerializer(serializers.Serializer[Compared]):
    """A validation picture: what is there, and what was found down to `floor`.

    `missed` and `false` count the mistakes from `confidence` on.
    """

    image = serializers.UUIDField(source="image.pk")
    file_name = serializers.CharField(source="image.file_name")
    url = serializers.SerializerMethodField()
    thumbnail_url = serializers.SerializerMethodField()
    width = serializers.IntegerField(source="image.picture.width")
    height = serializers.IntegerField(source="image.picture.height")
    missed = serializers.IntegerField(source="kept.missed")
    false = serializers.IntegerField(source="kept.false")
    truth = serializers.SerializerMethodField()
    objects = serializers.SerializerMethodField()

    def get_url(self, one: Compared) -> str:
        """Return where the picture is."""
        return reverse("image-file", args=[one.image.pk], request=self.context["request"])

    def get_thumbnail_url(self, one: Compared) -> str:
        """Return where its thumbnail is."""
        return reverse("image-thumbnail", args=[one.image.pk], request=self.context["request"])

    @extend_schema_field(ImageBoxSerializer(many=True))
    def get_truth(self, one: Compared) -> list[dict[str, Any]]:
        """Return the boxes of the version."""
        return [
            {
                "class_id": int(index),
                "class_name": self._name(index),
                "x1": x1,
                "y1": y1,
                "x2": x2,
                "y2": y2,
            }
            for index, x1, y1, x2, y2 in one.image.boxes
        ]

    @extend_schema_field(PredictionSerializer(many=True))
    def get_objects(self, one: Compared) -> list[dict[str, Any]]:
        """Return what was found, the surest first."""
        return [{**found, "class_name": self._name(found["class_id"])} for found in one.objects]

    def _name(self, index: float) -> str:
        names: list[str] = self.context["names"]
        return names[int(index)] if int(index) < len(names) else str(int(index))


class PredictionsSerializer(serializers.Serializer[Any]):
    """Counts over the whole validation set, and some of the pictures that were kept of it."""

    confidence = serializers.FloatField()
    floor = serializers.FloatField()
    images = serializers.IntegerField()
    images_right = serializers.IntegerField()
    kept = serializers.IntegerField()
    per_class = ClassCountSerializer(many=True)
    results = PicturePredictionsSerializer(many=True)
