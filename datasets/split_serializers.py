"""What the API takes where pictures are divided."""

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from jobs.errors import UserError

_LARGEST_SEED = 2**31 - 1


@extend_schema_field({"type": "number", "format": "double", "minimum": 0, "maximum": 1,
                      "exclusiveMinimum": True, "exclusiveMaximum": True})  # fmt: skip
class RatioField(serializers.FloatField):
    """The share of the pictures that goes to validation: more than nothing, less than all."""

    default_error_messages: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("min_value", "max_value"), _("Must be more than 0 and less than 1.")
    )

    def to_internal_value(self, data: Any) -> float:
        """Return the share.

        Raises:
            ValidationError: `min_value`, `max_value`, or it is no number.
        """
        value: float = super().to_internal_value(data)
        if not 0 < value < 1:
            self.fail("max_value" if value >= 1 else "min_value")
        return value


@extend_schema_field({"type": "number", "format": "double", "minimum": 0, "maximum": 1,
                      "exclusiveMaximum": True})  # fmt: skip
class TestShareField(serializers.FloatField):
    """The share of the pictures that goes to the test; with that for validation less than all."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 0, "default": 0.0, **kwargs})


class SeedField(serializers.IntegerField):
    """The same seed splits the same pictures in the same way."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": _LARGEST_SEED, **kwargs})


class SplitSerializer(serializers.Serializer[Any]):
    """How pictures are divided."""

    split_ratio = RatioField(default=0.2)
    split_seed = SeedField(default=0)
    test_ratio = TestShareField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for something to train on.

        Raises:
            ValidationError: validation and test take all.
        """
        attrs = super().validate(attrs)
        if not attrs["split_ratio"] + attrs["test_ratio"] < 1:
            raise serializers.ValidationError(
                {"test_ratio": UserError("split_shares").message}, code="split_shares"
            )
        return attrs


class ResplitSerializer(SplitSerializer):
    """How to split anew."""
