"""Logs as JSON lines on standard error, for servers and workers.

An exception is told by its kind and place in the code, never by its words: they may quote what a device sent.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

_FRAMES = 6


class JsonLines(logging.Formatter):
    """One record, one line: `at`, `level`, `logger`, `message`; of an exception `error` and where it was."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, in ASCII."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["message"] = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
            frames = traceback.extract_tb(record.exc_info[2])[-_FRAMES:]
            line["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line)


def log_as_json(stream: TextIO | None = None, level: int = logging.INFO) -> logging.Handler:
    """Let all of this process's loggers write JSON lines to the stream (default: standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("yoyo").setLevel(logging.WARNING)  # a line for each migration, applied or not, says nothing
    return handler
