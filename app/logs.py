"""Logs: one JSON object a line, allow-listed fields only, so that no secret can slip in.

What is not on the list is hidden, whatever it is; what looks like a code is, wherever it stands.
"""

import json
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
# The fields that a line may have: our own words, names, counts and ids; an address; how it failed.
FIELDS = PLAIN | {
    *("checkpoint", "code", "destroyed", "endpoint", "error", "exception", "fault", "import_id"),
    *("ip", "job", "kind", "name", "outcome", "person", "position", "resealed", "rotation"),
    *("row", "rows", "rule", "sender", "to", "unreadable", "version", "why"),
    *("is_ours", "verdict"),
}
HIDDEN = "***"


def configure(level: str) -> None:
    """Send structlog and the standard library's loggers to standard error as JSON lines."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _only_known,
        _redact,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    others = logging.StreamHandler(sys.stderr)
    others.setFormatter(JsonLine())
    logging.basicConfig(level=logging.WARNING, handlers=[others])


class JsonLine(logging.Formatter):
    """A line of a library's logger; a line's end in it is not the end of ours."""

    def format(self, record: logging.LogRecord) -> str:
        said = SUSPICIOUS.sub(HIDDEN, super().format(record))
        fields = {"level": record.levelname.lower(), "logger": record.name, "event": said}
        return json.dumps(fields, ensure_ascii=False)


def _only_known(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {name: value if name in FIELDS else HIDDEN for name, value in event.items()}


def _redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str) and name not in PLAIN:
            event[name] = SUSPICIOUS.sub(HIDDEN, value)
    return event
