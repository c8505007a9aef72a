"""What the gateways count of themselves, for Prometheus. No label names a device, so there is no person in it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
RECORDS = Counter(
    "wayrate_records",
    "Records by what became of them: accepted or duplicate",
    ["channel", "outcome"],
    registry=REGISTRY,
)
QUARANTINED = Counter(
    "wayrate_quarantined_records", "Records put into quarantine", ["channel", "reason"], registry=REGISTRY
)
ACKNOWLEDGED = Histogram(
    "wayrate_acknowledgement_seconds",
    "From a whole frame to the commit that lets it be acknowledged",
    ["channel"],
    buckets=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
    registry=REGISTRY,
)
COMMIT_FAILURES = Counter(
    "wayrate_commit_failures", "Transactions of uploads that did not commit", ["error"], registry=REGISTRY
)
OPEN_SOCKETS = Gauge("wayrate_open_sockets", "Connections that are open", ["channel"], registry=REGISTRY)


class _Refusal(Protocol):
    @property
    def reason(self) -> str: ...


class _Receipt(Protocol):
    @property
    def accepted(self) -> int: ...
    @property
    def duplicate(self) -> int: ...
    @property
    def replayed(self) -> bool: ...
    @property
    def records(self) -> Iterable[_Refusal]: ...


def count_receipt(channel: str, receipt: _Receipt) -> None:
    """Count an upload's records, once its transaction has committed; a receipt given again counts nothing."""
    if receipt.replayed:
        return
    if receipt.accepted:
        RECORDS.labels(channel, "accepted").inc(receipt.accepted)
    if receipt.duplicate:
        RECORDS.labels(channel, "duplicate").inc(receipt.duplicate)
    for refusal in receipt.records:
        QUARANTINED.labels(channel, str(refusal.reason)).inc()


@contextmanager
def counting_failures() -> Iterator[None]:
    """Counts a transaction that ends by an error, by the error's name."""
    try:
        yield
    except Exception as err:
        COMMIT_FAILURES.labels(type(err).__name__).inc()
        raise


def acknowledge_after(channel: str, began_s: float) -> None:
    """An upload that was whole at `began_s` (monotonic) may be acknowledged now."""
    ACKNOWLEDGED.labels(channel).observe(monotonic() - began_s)


def exposition() -> bytes:
    """All of them in Prometheus' text format."""
    return generate_latest(REGISTRY)
