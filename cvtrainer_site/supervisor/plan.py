"""Which programs make up the portal, in which order they start and stop."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings

from cvtrainer_site.env import BASE_DIR
from training.cards import CardsSilent, cards_of_host

#: The queue of each kind of worker in CVTRAINER_WORKERS.
QUEUES = {"io": "imports", "train": "training", "detect": "detection"}
_MANAGE = (sys.executable, str(BASE_DIR / "manage.py"))


@dataclass(frozen=True)
class Program:
    """One process of the portal.

    Attributes:
        patience: seconds that it gets after each polite request to end, before the next step.
        polite_requests: how often it is asked (SIGTERM) before it is killed.
        is_quiet: what it says goes to its file only, not to the terminal.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 10.0
    polite_requests: int = 1
    is_quiet: bool = False


def web() -> Program:
    """Return the web process: HTTP and WebSockets."""
    options = {
        "--host": settings.HOST,
        "--port": str(settings.PORT),
        "--ws": "cvtrainer_site.sockets:ManyMessages",
        # Compressed, a line would be encoded anew for each reader, and each would have memory.
        "--ws-per-message-deflate": "false",
        # Browsers say a few words ("from this line on"); more is not read.
        "--ws-max-size": "65536",
        "--ws-max-queue": "16",
        "--ws-ping-interval": "20",
        "--timeout-graceful-shutdown": "5",
        "--log-level": "warning",
        "--lifespan": "off",
    }
    if settings.TRUSTED_PROXIES:
        options["--forwarded-allow-ips"] = ",".join(settings.TRUSTED_PROXIES)
    proxied = "--proxy-headers" if settings.TRUSTED_PROXIES else "--no-proxy-headers"
    flags = (proxied, "--no-access-log", "--no-server-header")
    pairs = [part for pair in options.items() for part in pair]
    command = (sys.executable, "-m", "uvicorn", "cvtrainer_site.asgi:application", *pairs, *flags)
    return Program("web", command, {"MALLOC_ARENA_MAX": "2"})


def workers() -> list[Program]:
    """Return the workers that CVTRAINER_WORKERS asks for; GPU work is spread over the GPUs."""
    found = gpus()
    return [
        Program(
            f"{kind}-{number}",
            (*_MANAGE, "run_worker", QUEUES[kind]),
            gpu_environment(kind, number, count, found),
            # Warm: the work at hand goes back to the queue. Then cold, then dead.
            patience=30.0 if kind == "train" else 10.0,
            polite_requests=2,
        )
        for kind, count in settings.WORKERS.items()
        for number in range(1, count + 1)
    ]


def reconciler() -> Program:
    """Return the loop that delivers what was lost and ends what is silent."""
    return Program("reconcile", (*_MANAGE, "reconcile_jobs", "--loop"), patience=3.0)


def gpu_environment(kind: str, number: int, count: int, found: list[str]) -> dict[str, str]:
    """Return which GPU a worker sees: one each where there are several workers of its kind."""
    if kind == "io" or count < 2 or not found:
        return {}
    return {"CUDA_VISIBLE_DEVICES": found[(number - 1) % len(found)]}


def gpus() -> list[str]:
    """Return the GPUs that workers may use, as CUDA_VISIBLE_DEVICES names them."""
    if (chosen := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in chosen.split(",") if name.strip()]
    try:
        # By their ids: the numbers of the driver and of CUDA may name different cards.
        return [card.uuid for card in cards_of_host()]
    except CardsSilent:
        return []  # the workers find the same, and say so
