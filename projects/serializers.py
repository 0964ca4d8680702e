"""How the API shows projects and members, and what it takes."""

from typing import Any

from rest_framework import serializers

from accounts.models import User
from accounts.strict import StrictModelSerializer, StrictSerializer
from projects.models import Membership, Project, Role
from projects.serializer_base import NameField


class ProjectSerializer(StrictModelSerializer):
    """A project, the caller's role in it, and how much it holds."""

    name = NameField()
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)
    datasets = serializers.IntegerField(source="dataset_count", read_only=True)
    training_runs = serializers.IntegerField(source="training_run_count", read_only=True)
    models = serializers.IntegerField(source="model_count", read_only=True)

    class Meta:
        model = Project
        fields = [
            "id",
            "name",
            "description",
            "role",
            "created_at",
            "datasets",
            "training_runs",
            "models",
        ]


class MemberSerializer(StrictModelSerializer):
    """A member of a project."""

    user_id = serializers.UUIDField(read_only=True)
    username = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Membership
        fields = ["user_id", "username", "role"]


class NewMemberSerializer(StrictSerializer):
    """Who joins, by id or by name, and with which role."""

    user_id = serializers.PrimaryKeyRelatedField[User](
        queryset=User.objects.filter(is_active=True),
        pk_field=serializers.UUIDField(),
        required=False,
    )
    username = serializers.SlugRelatedField[User](
        queryset=User.objects.filter(is_active=True), slug_field="username", required=False
    )
    role = serializers.ChoiceField(choices=Role.choices)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find the one user that is meant.

        Raises:
            ValidationError: none is named, or two are.
        """
        users = {user for name in ("user_id", "username") if (user := attrs.get(name))}
        if len(users) != 1:
            message = serializers.Field.default_error_messages["required"]
            raise serializers.ValidationError({"username": message}, code="required")
        return {"user": users.pop(), "role": attrs["role"]}
