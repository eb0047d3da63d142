"""Logs: one JSON object a line, allow-listed fields only, so that no secret can slip in."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Long runs that look like a code or a card number: a second net, behind never logging them.
SUSPICIOUS = re.compile(r"\b(?:[A-Z0-9]{4}-){2,}[A-Z0-9]{4}\b|\b[A-Z0-9]{16,}\b|\b\d{13,19}\b")
# Fields that hold our own identifiers, which look like codes and are none.
PLAIN = {"timestamp", "level", "event", "number", "request_id", "reference"}


def configure(level: str) -> None:
    """Send structlog and the standard library's loggers to standard error as JSON lines."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stderr,
        format='{"level":"%(levelname)s","logger":"%(name)s","event":"%(message)s"}',
    )


def _redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name not in PLAIN:
            event[name] = SUSPICIOUS.sub("***", value)
    return event
