"""How often who is not signed in may ask: by the sender's address, in this process."""

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from api.errors import TooManyQuotes
from ingest.enrolment import network_of

WINDOW = timedelta(minutes=10)
QUOTES_IN_WINDOW = 20
MOST_ADDRESSES = 10_000


@dataclass(slots=True)
class StrangersQuotes:
    """Quotes by address (of IPv6 its /64) within the window."""

    asked_at: OrderedDict[str, deque[datetime]] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, address: str, as_of: datetime) -> None:
        """Counts one. Raises TooManyQuotes where the address has had its share."""
        network = network_of(address)
        with self.lock:
            times = self.asked_at.setdefault(network, deque())
            self.asked_at.move_to_end(network)
            if len(self.asked_at) > MOST_ADDRESSES:
                self.asked_at.popitem(last=False)
            while times and times[0] <= as_of - WINDOW:
                times.popleft()
            if len(times) >= QUOTES_IN_WINDOW:
                raise TooManyQuotes(max(1, round((times[0] + WINDOW - as_of).total_seconds())))
            times.append(as_of)
