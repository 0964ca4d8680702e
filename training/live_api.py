"""What the API offers of a run while it goes on, beside its metrics: pictures."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.serializers import ImageSerializer
from projects.viewsets import ProjectScopedViewSet
from training.live_pictures import Look, Shown, looks_of


class FoundBoxSerializer(serializers.Serializer[Any]):
    """One box that the model of an epoch finds."""

    class_id = serializers.IntegerField()
    class_name = serializers.CharField()
    confidence = serializers.FloatField()
    x1 = serializers.FloatField()
    y1 = serializers.FloatField()
    x2 = serializers.FloatField()
    y2 = serializers.FloatField()


class ShownPictureSerializer(serializers.Serializer[Any]):
    """A validation picture with its boxes, and what was found on it."""

    image = ImageSerializer()
    found = FoundBoxSerializer(many=True)


class LookSerializer(serializers.Serializer[Any]):
    """What the model of one epoch finds on the same few pictures."""

    kind = serializers.ChoiceField(choices=["last", "best"])
    epoch = serializers.IntegerField()
    pictures = ShownPictureSerializer(many=True)


class LooksSerializer(serializers.Serializer[Any]):
    """The newest epoch and the best one; one of them where they are the same, none at first."""

    results = LookSerializer(many=True)


class RunPicturesMixin(ProjectScopedViewSet):
    """Adds `pictures/` to the viewset of runs."""

    @extend_schema(responses=LooksSerializer)
    @action(detail=True, filter_backends=[], pagination_class=None)
    def pictures(self, request: Request, *_: Any, **__: Any) -> Response:
        """Return what the model finds on a few validation pictures, always the same ones."""
        run = self.get_object()
        names = dict(run.dataset_version.classes.values_list("index", "name"))
        context = {**self.get_serializer_context(), "class_names": names}
        rows = [_row(look, names) for look in looks_of(run)]
        return Response(LooksSerializer({"results": rows}, context=context).data)


def _row(look: Look, names: dict[int, str]) -> dict[str, Any]:
    pictures = [{"image": one.image, "found": _found(one, names)} for one in look.pictures]
    return {"kind": look.kind, "epoch": look.epoch, "pictures": pictures}


def _found(shown: Shown, names: dict[int, str]) -> list[dict[str, Any]]:
    keys = ("x1", "y1", "x2", "y2")
    return [
        {
            "class_id": int(kind),
            "class_name": names.get(int(kind), str(int(kind))),
            "confidence": confidence,
            **dict(zip(keys, corners, strict=True)),
        }
        for kind, confidence, *corners in shown.found
    ]
