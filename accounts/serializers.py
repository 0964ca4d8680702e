"""How the API shows the caller and its tokens, and what it takes."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.relations import PrimaryKeyRelatedField

from accounts.models import ApiToken, Scope, User
from accounts.services import clean_expiry, clean_scopes
from accounts.strict import StrictSerializer


class TokenReachSerializer(serializers.Serializer[Any]):
    """How far the token of this request reaches."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    project = serializers.UUIDField(source="project_id", allow_null=True)


class MeSerializer(serializers.ModelSerializer[User]):
    """Who asks, and with what."""

    language = serializers.SerializerMethodField()
    token = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "username", "email", "language", "is_staff", "token"]

    @extend_schema_field(serializers.ChoiceField(choices=settings.LANGUAGES))
    def get_language(self, user: User) -> str:
        """Return the chosen language, or the default."""
        return user.language or settings.LANGUAGE_CODE

    @extend_schema_field(TokenReachSerializer(allow_null=True))
    def get_token(self, user: User) -> dict[str, Any] | None:
        """Return how far the request's token reaches; None for a session."""
        token = self.context["request"].auth
        return TokenReachSerializer(token).data if token else None


class OwnProjectField(PrimaryKeyRelatedField[Any]):
    """A project that the caller may see; found through the model, for projects stand above us."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"pk_field": serializers.UUIDField(), **kwargs})

    def get_queryset(self) -> Any:
        """Narrow the projects to those that the caller may see."""
        model: Any = ApiToken._meta.get_field("project").related_model
        return model.objects.visible_to(self.context["request"].user)


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    """A token without its secret."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    project = serializers.UUIDField(source="project_id", allow_null=True)
    expires_at = serializers.DateTimeField(source="expiry", allow_null=True)
    created_at = serializers.DateTimeField(source="created")

    class Meta:
        model = ApiToken
        fields = ["id", "name", "scopes", "project", "expires_at", "created_at", "last_used_at"]


class TokenOnceSerializer(TokenSerializer):
    """A token with its secret, which nobody can read again."""

    token = serializers.CharField(
        allow_null=True, help_text="Given once; null where a repeated request is answered again."
    )

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]


class NewTokenSerializer(StrictSerializer):
    """What a new token may do, where, and until when."""

    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), allow_empty=False
    )
    project = OwnProjectField(queryset=ApiToken.objects.none(), required=False, allow_null=True)
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="At most a year from now; else 90 days."
    )

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        """Name each scope once."""
        return clean_scopes(scopes)

    def validate_expires_at(self, expires_at: Any) -> Any:
        """Refuse what is past or too far."""
        return expires_at and clean_expiry(expires_at)
