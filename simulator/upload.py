"""Devices' side of the gateway: batches of our own JSON over real HTTP, kept and sent again until acknowledged."""

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import httpx
import msgspec
import numpy as np

from simulator.errors import GatewayUnavailable, UnknownSender, UploadRefused
from simulator.world import Columns, SimulatedTrip

MAX_READINGS = 5000  # the gateway's limits of one batch
MAX_BODY_BYTES = 2 * 1024 * 1024
MAX_RATIO = 90  # under the gateway's 100: what shrinks more goes as it is
ATTEMPTS = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0
TIMEOUT_S = 60.0
_AGAIN = (408, 425, 429, 500, 502, 503, 504)  # passing trouble; any other refusal is for good


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What became of readings that were sent, by the receipts."""

    sent: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0

    def __add__(self, other: "Uploaded") -> "Uploaded":
        return Uploaded(
            self.sent + other.sent,
            self.accepted + other.accepted,
            self.duplicate + other.duplicate,
            self.quarantined + other.quarantined,
        )


class _Receipt(msgspec.Struct):
    accepted: int
    duplicate: int
    quarantined: int


class Uploader:
    """One device's connection to a gateway, kept alive between batches; a context manager, for one thread."""

    def __init__(
        self, url: str, *, attempts: int = ATTEMPTS, pause: Callable[[float], None] = time.sleep, occasion: str = ""
    ) -> None:
        """`occasion` enters the idempotency keys.

        Under the same one the gateway answers a repeated batch with its first receipt; under another it looks at the
        readings themselves and finds the duplicates.
        """
        self._url = url.rstrip("/")
        self._attempts = attempts
        self._pause = pause
        self._occasion = occasion
        self._client = httpx.Client(timeout=TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def upload(self, token: str, columns: Columns) -> Uploaded:
        """All readings of `columns`, in batches; returns when every batch is acknowledged.

        Raises GatewayUnavailable, UploadRefused; what was acknowledged before stays, sending all again is harmless.
        """
        total = Uploaded()
        count = len(columns["fix_time_us"])
        for first in range(0, count, MAX_READINGS):
            total += self._send(
                token, batch_json({name: v[first : first + MAX_READINGS] for name, v in columns.items()})
            )
        return total

    def _send(self, token: str, body: bytes) -> Uploaded:
        content, encoding = compressed(body)
        key = hashlib.sha256(self._occasion.encode() + b"\0" + body).hexdigest()
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Content-Encoding": encoding,
            "Idempotency-Key": key,
        }
        trouble = ""
        for attempt in range(self._attempts):
            if attempt:
                self._pause(min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S))
            try:
                answer = self._client.post(f"{self._url}/v1/readings", content=content, headers=headers)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
                continue
            if answer.status_code == 200:
                receipt = msgspec.json.decode(answer.content, type=_Receipt)
                sent = receipt.accepted + receipt.duplicate + receipt.quarantined
                if "idempotent-replay" in answer.headers:  # an earlier receipt: nothing was stored by this request
                    return Uploaded(sent, 0, receipt.accepted + receipt.duplicate, receipt.quarantined)
                return Uploaded(sent, receipt.accepted, receipt.duplicate, receipt.quarantined)
            if answer.status_code not in _AGAIN:
                raise UploadRefused(self._url, answer.status_code, answer.text[:500])
            trouble = f"it answered {answer.status_code}"
        raise GatewayUnavailable(self._url, self._attempts, trouble)


def batch_json(columns: Columns) -> bytes:
    """One batch as the gateway reads it; what is NaN is left out, times are seconds since 1970."""
    times_us = columns["fix_time_us"]
    whole = times_us % 1_000_000 == 0
    times = (times_us // 1_000_000).tolist() if whole.all() else (times_us / 1e6).tolist()
    rows: list[dict[str, float]] = [{"fix_time": time_s} for time_s in times]
    for name, values in columns.items():
        if name == "fix_time_us":
            continue
        for place in np.flatnonzero(np.isfinite(values)).tolist():
            rows[place][name] = float(values[place])
    return msgspec.json.encode({"readings": rows})


def compressed(body: bytes) -> tuple[bytes, str]:
    """The body by gzip, always the same bytes, and its Content-Encoding; as it is where it would shrink too well."""
    small = gzip.compress(body, compresslevel=5, mtime=0)
    if len(body) > MAX_RATIO * len(small) and len(body) <= MAX_BODY_BYTES:
        return body, "identity"
    return small, "gzip"


def joined(trips: Sequence[SimulatedTrip]) -> Columns:
    """The columns of several trips of one device, one after another in the order given."""
    names = dict.fromkeys(name for trip in trips for name in trip.columns)
    return {name: np.concatenate([trip.columns[name] for trip in trips]) for name in names}


def filled_batches(trips: Iterable[SimulatedTrip]) -> list[list[SimulatedTrip]]:
    """Trips of one device in the order given, as many whole ones together as one batch takes."""
    groups: list[list[SimulatedTrip]] = []
    size = 0
    for trip in trips:
        if not groups or size + len(trip) > MAX_READINGS:
            groups.append([])
            size = 0
        groups[-1].append(trip)
        size += len(trip)
    return groups


def upload_fleet(
    url: str,
    tokens: Mapping[int, str],
    trips: Sequence[SimulatedTrip],
    progress: Callable[[int, int], None] | None = None,
    connections: int = 4,
    occasion: str = "",
) -> Uploaded:
    """All trips, each driver's in the order given over one connection, several drivers at a time.

    `tokens` are the device tokens by driver index; `progress` is called with (readings acknowledged, all).
    Raises UnknownSender, GatewayUnavailable, UploadRefused.
    """
    by_driver: dict[int, list[SimulatedTrip]] = {}
    for trip in trips:
        by_driver.setdefault(trip.driver, []).append(trip)
    for driver in by_driver:
        if driver not in tokens:
            raise UnknownSender(driver)
    total = sum(map(len, trips))
    done = 0
    lock = threading.Lock()

    def send_driver(driver: int) -> Uploaded:
        nonlocal done
        uploaded = Uploaded()
        with Uploader(url, occasion=occasion) as uploader:
            for group in filled_batches(by_driver[driver]):
                receipt = uploader.upload(tokens[driver], joined(group))
                uploaded += receipt
                with lock:
                    done += receipt.sent
                    if progress is not None:
                        progress(done, total)
        return uploaded

    with ThreadPoolExecutor(max_workers=connections) as pool:
        return sum(pool.map(send_driver, by_driver), Uploaded())
