"""A check that anybody may ask for, and that runs no more than once a second."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

_KEPT_S = 1.0


@dataclass(slots=True)
class OncePerSecond:
    """Runs the check, or gives its outcome of less than a second ago: returns, or raises what it raised."""

    check: Callable[[], None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _until_s: float = 0.0
    _error: Exception | None = None

    def __call__(self) -> None:
        """Raises what the check raised."""
        with self._lock:
            if monotonic() >= self._until_s:
                self._error = self._run()
                self._until_s = monotonic() + _KEPT_S
            if self._error is not None:
                raise self._error

    def _run(self) -> Exception | None:
        try:
            self.check()
        except Exception as err:  # noqa: BLE001 - kept, and raised to whoever asks
            return err
        return None
