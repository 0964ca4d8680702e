"""What the API takes where classes and labels of a version are changed."""

from typing import Any

from rest_framework import serializers

from datasets.class_edit import ClassChange
from datasets.editing import Edit
from datasets.names import MAX_CLASSES
from datasets.repairs import ACTION_TITLES, CHOICES, checked
from jobs.errors import UserError

_MOST_NAME = 200


class ClassChangeSerializer(serializers.Serializer[Any]):
    """What becomes of one class; two classes of one name become one."""

    index = serializers.IntegerField(min_value=0, max_value=MAX_CLASSES)
    name = serializers.CharField(max_length=_MOST_NAME, allow_blank=True, default="")
    drop = serializers.BooleanField(default=False, help_text="its boxes go, its pictures stay")


class RepairSerializer(serializers.Serializer[Any]):
    """A problem, by its code in the health report's `measures.problems`, and what is done."""

    code = serializers.ChoiceField(choices=list(CHOICES))
    action = serializers.ChoiceField(choices=[str(action) for action in ACTION_TITLES])


class EditSerializer(serializers.Serializer[Any]):
    """Classes in their new order, each of them once, and repairs; nothing stays as it is."""

    classes = serializers.ListField(
        child=ClassChangeSerializer(), required=False, default=list, max_length=MAX_CLASSES
    )
    repairs = serializers.ListField(
        child=RepairSerializer(), required=False, default=list, max_length=len(CHOICES)
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse repairs that cannot be done about their problem.

        Raises:
            ValidationError: `repair_unknown`.
        """
        attrs = super().validate(attrs)
        try:
            attrs["repairs"] = checked([(row["code"], row["action"]) for row in attrs["repairs"]])
        except UserError as error:
            message = f"{error.message} {error.hint}"
            raise serializers.ValidationError({"repairs": message}, code=error.code) from error
        return attrs

    @property
    def edit(self) -> Edit:
        """What was asked for, once it is valid."""
        data = self.validated_data
        return Edit(tuple(ClassChange(**row) for row in data["classes"]), data["repairs"])
