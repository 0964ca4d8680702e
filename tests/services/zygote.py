"""A process that has loaded Django already and forks the portal's programs: they start at once.

It is run as `python -m tests.services.zygote`, reads one JSON command a line and answers each with
one line: `{"start": [arguments], "settings": {}}` -> pid, `{"poll": pid}` -> exit status or null.
"""

import contextlib
import json
import os
import sys
import traceback
from typing import Any

from tests.services.lifeline import die_with_parent


def main() -> None:
    """Serve commands until the other side closes the pipe."""
    import django

    django.setup()
    # What web process and workers would load at their start.
    import django.core.management
    import rq

    import cvtrainer_site.asgi
    import jobs.worker

    assert rq and jobs.worker and cvtrainer_site.asgi
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answer: Any = _start(command) if "start" in command else _poll(command["poll"])
        print(json.dumps(answer), flush=True)


def _start(command: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(command)
    return pid


def _become(command: dict[str, Any]) -> None:
    """Be the program; never return."""
    status = 1
    try:
        os.setsid()
        die_with_parent()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(2, 1)
        import uvicorn
        from django.conf import settings
        from django.core.management import execute_from_command_line

        for name, value in command["settings"].items():
            setattr(settings, name, value)
        if command["start"][0] == "uvicorn":
            uvicorn.main(args=command["start"][1:])
        execute_from_command_line(["manage.py", *command["start"]])
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except Exception:  # noqa: BLE001  shown as Python shows it
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _poll(pid: int) -> int | None:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return -1
    return os.waitstatus_to_exitcode(status) if found else None


if __name__ == "__main__":
    main()
