"""Who the caller is, and the tokens of machine clients."""

from typing import Any, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import DestroyModelMixin, ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import services
from accounts.idempotency import idempotent
from accounts.models import ApiToken, User
from accounts.serializers import (
    MeSerializer,
    NewTokenSerializer,
    TokenOnceSerializer,
    TokenSerializer,
)


class MeView(APIView):
    """The caller; any token may ask."""

    any_scope = True

    @extend_schema(operation_id="me_retrieve", responses=MeSerializer)
    def get(self, request: Request) -> Response:
        """Return who the caller is and how far its token reaches."""
        user = cast(User, request.user)
        return Response(MeSerializer(user, context={"request": request}).data)


class TokenViewSet(ListModelMixin, DestroyModelMixin, GenericViewSet[ApiToken]):
    """The caller's tokens: managed in the browser, for a token must not make tokens."""

    queryset = ApiToken.objects.order_by("-created")
    serializer_class = TokenSerializer
    session_only = True
    lookup_field = "id"
    lookup_value_converter = "uuid"
    filterset_fields = ()
    ordering_fields = ("created", "name", "expiry", "last_used_at")

    def get_queryset(self) -> QuerySet[ApiToken]:
        """Only one's own."""
        return super().get_queryset().filter(user=cast(User, self.request.user))

    @extend_schema(request=NewTokenSerializer, responses={201: TokenOnceSerializer})
    @idempotent(never_stored=("token",))
    def create(self, request: Request, *_: Any, **__: Any) -> Response:
        """Make a token; its secret is in this answer and nowhere else."""
        new = NewTokenSerializer(data=request.data, context=self.get_serializer_context())
        new.is_valid(raise_exception=True)
        row, secret = services.create_token(user=cast(User, request.user), **new.validated_data)
        row.token = secret
        return Response(TokenOnceSerializer(row).data, status=status.HTTP_201_CREATED)

    def perform_destroy(self, instance: ApiToken) -> None:
        """Revoke it: its next call is refused."""
        services.revoke_token(token=instance)
