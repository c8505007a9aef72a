"""A trip by the OsmAnd protocol, as a phone app sends it: one GET a reading, so only for short trips."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import numpy as np

from simulator.errors import GatewayUnavailable, UploadRefused
from simulator.upload import ATTEMPTS, FIRST_PAUSE_S, LONGEST_PAUSE_S, TIMEOUT_S
from simulator.world import Columns

MPS_PER_KNOT = 1852 / 3600
PASSING_STATUS = 500  # from here on it is the gateway's trouble, not the request's
_NAMES = {
    "lat": "latitude_deg",
    "lon": "longitude_deg",
    "bearing": "heading_deg",
    "hdop": "hdop",
    "accuracy": "accuracy_m",
    "sat": "satellites",
}


def osmand_queries(columns: Columns, token: str) -> list[dict[str, str]]:
    """The query of each reading in the order given: speed in knots, ISO 8601 time; what is NaN is left out."""
    queries = []
    for row, time_us in enumerate(columns["fix_time_us"].tolist()):
        query = {"id": token, "timestamp": datetime.fromtimestamp(time_us / 1e6, UTC).isoformat()}
        for short, name in _NAMES.items():
            if name in columns and np.isfinite(columns[name][row]):
                query[short] = repr(float(columns[name][row]))
        if np.isfinite(columns["speed_mps"][row]):
            query["speed"] = repr(float(columns["speed_mps"][row]) / MPS_PER_KNOT)
        queries.append(query)
    return queries


def upload_osmand(
    url: str, token: str, columns: Columns, *, attempts: int = ATTEMPTS, pause: Callable[[float], None] = time.sleep
) -> int:
    """Sends every reading over one connection; returns how many were acknowledged, which is all of them.

    A request without an answer, or with 5xx, is sent again. Raises GatewayUnavailable, UploadRefused.
    """
    address = f"{url.rstrip('/')}/osmand"
    queries = osmand_queries(columns, token)
    with httpx.Client(timeout=TIMEOUT_S) as client:
        for query in queries:
            _send(client, address, query, attempts, pause)
    return len(queries)


def _send(
    client: httpx.Client, address: str, query: dict[str, str], attempts: int, pause: Callable[[float], None]
) -> None:
    trouble = ""
    for attempt in range(attempts):
        if attempt:
            pause(min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S))
        try:
            answer = client.get(address, params=query)
        except httpx.TransportError as error:
            trouble = type(error).__name__  # its text may hold the address, and that the token
            continue
        if answer.status_code == 200:
            return
        if answer.status_code < PASSING_STATUS:
            raise UploadRefused(address, answer.status_code, answer.text[:500])
        trouble = f"it answered {answer.status_code}"
    raise GatewayUnavailable(address, attempts, trouble)
