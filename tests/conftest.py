"""What all tests share: real servers, and who is who."""

import os

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

# Two of them at once already use the cores that there are.
os.environ.setdefault("OMP_NUM_THREADS", "1")
