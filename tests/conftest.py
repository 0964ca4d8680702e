"""What all tests share: real servers, and who is who."""

from tests.personas import (  # noqa: F401
    admin,
    api,
    editor,
    outsider,
    owner,
    project,
    viewer,
)
from tests.services.fixtures import (  # noqa: F401
    disk,
    on_postgres,
    postgres,
    programs,
    s3_server,
    s3_storage,
    valkey,
    valkey_server,
    zygote,
)
from tests.services.mail import mail_server  # noqa: F401
