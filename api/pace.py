"""How often each credential may ask: a session by itself, everybody without one by their address, in this process."""

from collections.abc import Callable
from hashlib import sha256
from math import ceil
from time import monotonic

from api.errors import TooManyRequests
from ingest.enrolment import network_of

WINDOW_S = 60.0
MOST_KEPT = 50_000


class Pace:
    """So many requests a minute of each (None: any number); after a rest a minute's worth may come at once.

    A session counts by itself once its token has been found good: made-up tokens count with their address.
    """

    def __init__(self, most_a_minute: int | None, clock_s: Callable[[], float] = monotonic) -> None:
        self.most_a_minute, self.clock_s = most_a_minute, clock_s
        self._full_at: dict[bytes, float] = {}  # when what was asked by now would be worked off at the allowed pace

    def take(self, token: str | None, address: str) -> None:
        """Counts one request. Raises TooManyRequests where it is one too many; that one does not count."""
        if self.most_a_minute is None:
            return
        now, apart = self.clock_s(), WINDOW_S / self.most_a_minute
        who = _key(token or "")
        if token is None or who not in self._full_at:
            who = network_of(address).encode()
        full_at = max(self._full_at.get(who, now), now)
        if full_at + apart > now + WINDOW_S + 1e-6:
            raise TooManyRequests(max(1, ceil(full_at + apart - now - WINDOW_S)))
        self._full_at[who] = full_at + apart
        if len(self._full_at) > MOST_KEPT:
            self._forget(now)

    def know(self, token: str) -> None:
        """This token is a session's."""
        if self.most_a_minute is not None:
            self._full_at.setdefault(_key(token), 0.0)

    def _forget(self, now: float) -> None:
        """Who has rested a minute is as one never seen; of too many who have not, the first go."""
        resting = [who for who, at in list(self._full_at.items()) if at <= now]
        for who in resting or list(self._full_at)[: MOST_KEPT // 10]:
            self._full_at.pop(who, None)


def _key(token: str) -> bytes:
    return sha256(token.encode()).digest()
