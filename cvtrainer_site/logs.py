"""Log lines: plain text on stderr, each with the id of its request; no values of variables."""

import logging
from typing import Any

import structlog

_PROBES = ("GET /healthz", "GET /readyz")

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso"),
]


class NoProbes(logging.Filter):
    """Leaves out what asks every second whether we live: it tells nobody anything."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is kept."""
        told = record.msg.get("request") if isinstance(record.msg, dict) else None
        return told not in _PROBES


def configure(level: str) -> dict[str, Any]:
    """Send structlog's lines the way of all others, and return Django's LOGGING.

    Args:
        level: of the least important lines that are written.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    line = structlog.processors.KeyValueRenderer(
        key_order=["timestamp", "level", "logger", "event"], sort_keys=True
    )
    plain = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*_SHARED, structlog.processors.format_exc_info],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, line],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": plain},
        "filters": {"no_probes": {"()": NoProbes}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "plain",
                "filters": ["no_probes"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        # django_structlog tells of each request; what Django would tell again is left out.
        "loggers": {"django.request": {"level": "CRITICAL"}},
    }
