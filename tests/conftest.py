"""What all tests share: real servers, and who is who."""

from tests.services.fixtures import (  # noqa: F401
    postgres,
    programs,
    valkey,
    valkey_server,
)
