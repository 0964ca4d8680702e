"""Bearer tokens of machine clients."""

from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc]
    """`Authorization: Bearer <token>`; confines the user to the token's project."""

    def authenticate_credentials(self, token: bytes) -> tuple[Any, Any]:
        """Return (user, token).

        Raises:
            AuthenticationFailed: unknown, expired, or not even text.
        """
        try:
            user, auth_token = super().authenticate_credentials(token)
        except UnicodeDecodeError as error:
            raise AuthenticationFailed from error
        user.confined_to_project_id = auth_token.project_id
        return user, auth_token
