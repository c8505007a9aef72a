"""How many uploads a credential may make: a token bucket each, for all channels that know whose upload it is."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

UPLOADS_PER_S = 100.0
BURST = 2000.0
_MAX_BUCKETS = 100_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


@dataclass(slots=True)
class UploadLimit:
    """`burst` uploads at once and `per_s` a second from then on, for each device. Safe to share between threads."""

    per_s: float = UPLOADS_PER_S
    burst: float = BURST
    clock_s: Callable[[], float] = time.monotonic
    _buckets: dict[int, _Bucket] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, device_key: int) -> float:
        """Take one upload: 0 when it is allowed, else after how many seconds the next one is (nothing is taken)."""
        with self._lock:
            now_s = self.clock_s()
            bucket = self._buckets.get(device_key)
            if bucket is None:
                self._make_room(now_s)
                bucket = self._buckets[device_key] = _Bucket(self.burst, now_s)
            bucket.tokens = min(self.burst, bucket.tokens + (now_s - bucket.at_s) * self.per_s)
            bucket.at_s = now_s
            if bucket.tokens < 1:
                return (1 - bucket.tokens) / self.per_s
            bucket.tokens -= 1
            return 0.0

    def _make_room(self, now_s: float) -> None:
        """Buckets that are full again say nothing; when all are in use the oldest go."""
        if len(self._buckets) < _MAX_BUCKETS:
            return
        full_s = self.burst / self.per_s
        kept = {key: one for key, one in self._buckets.items() if now_s - one.at_s < full_s}
        self._buckets = dict(sorted(kept.items(), key=lambda item: item[1].at_s)[-_MAX_BUCKETS // 2 :])
