"""What the worker counts of itself, for Prometheus, beside what the gateways count."""

from prometheus_client import Counter, Gauge, Histogram

from ingest.metrics import REGISTRY

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
FIX_TO_SCORE = Histogram(
    "wayrate_fix_to_score_seconds",
    "From a window's last fix to the scores that know it: the device's own delay and ours",
    buckets=(5, 15, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 30 * _DAY, 90 * _DAY),
    registry=REGISTRY,
)
SCORED = Counter("wayrate_windows_scored", "Dirty windows whose trips were cut again", registry=REGISTRY)
REFUSED = Counter(
    "wayrate_windows_refused", "Windows that were not cut again, by reason", ["reason"], registry=REGISTRY
)
WAITING = Gauge("wayrate_dirty_windows", "Windows that wait to be scored", registry=REGISTRY)
