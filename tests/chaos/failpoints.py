"""A process dies, or somebody else acts, between any two steps: a count of statements and commits that strikes once."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import get_ident
from typing import Any

import psycopg
import pytest


class Killed(BaseException):
    """The process ended here. Nothing catches it: what was not committed is rolled back by the server."""


@dataclass(slots=True)
class Failpoint:
    """`act` is called once, at the step `at` (counted from 0) of the thread that armed it."""

    at: int | None = None
    act: Callable[[], None] | None = None
    thread: int = 0
    seen: int = 0

    def arm(self, at: int, act: Callable[[], None]) -> None:
        """From now on steps are counted."""
        self.at, self.act, self.thread, self.seen = at, act, get_ident(), 0

    def disarm(self) -> None:
        """No step strikes any more."""
        self.at = self.act = None

    def step(self) -> None:
        """A statement is about to be sent, or a commit has come back."""
        if self.at is None or get_ident() != self.thread:
            return
        self.seen += 1
        if self.seen > self.at and self.act is not None:
            act = self.act
            self.disarm()  # once: what it does is not struck itself
            act()


def die() -> None:
    """The end of this process, as far as a test can play it."""
    raise Killed


def install(monkeypatch: pytest.MonkeyPatch) -> Failpoint:
    """A failpoint in every connection of this process: before each statement, and after each commit."""
    point = Failpoint()
    for name in ("execute", "executemany", "copy"):
        monkeypatch.setattr(psycopg.Cursor, name, _stepping(point, getattr(psycopg.Cursor, name)))
    leave = psycopg.Transaction.__exit__

    def left(self: Any, *args: Any) -> Any:
        result = leave(self, *args)
        if args[0] is None:
            point.step()
        return result

    monkeypatch.setattr(psycopg.Transaction, "__exit__", left)
    return point


def _stepping(point: Failpoint, original: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(self: Any, *args: Any, **kwargs: Any) -> Any:
        point.step()
        return original(self, *args, **kwargs)

    return stepping
