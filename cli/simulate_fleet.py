"""What `wayrate simulate fleet` needs of the system: devices enrolled, times moved to the present, a last word."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from cli.options import messages
from ingest.devices import enrol, rotate
from ingest.errors import DeviceExists
from simulator.blocks import device_id
from simulator.frames import imei_of
from simulator.stream import Streamed, Vehicle
from storage.pool import Database


def enrolled(database: Database, vehicles: Sequence[Vehicle], *, with_imei: bool) -> list[Vehicle]:
    """The vehicles with their tokens; a tracker that speaks its own protocol is admitted by its IMEI."""
    now = datetime.now(UTC)
    with_tokens = []
    for vehicle in vehicles:
        by_imei = with_imei and vehicle.device_kind == "tracker"
        name = f"imei-{imei_of(vehicle.number)}" if by_imei else device_id(vehicle.number)
        with database.role("telemetry") as conn:
            try:
                token = enrol(conn, name, now).token
            except DeviceExists:
                token = "" if by_imei else rotate(conn, name, now).token
        with_tokens.append(replace(vehicle, token=token))
    return with_tokens


def ending_now(vehicles: Sequence[Vehicle], duration_s: float, times: float) -> tuple[int, list[Vehicle]]:
    """When a stream at `times` the clock's speed begins that ends at the present, and the vehicles from then on.

    The stream takes `duration_s / times` from now; a fix is never made after it is sent.
    """
    began_us = (int(time.time() + duration_s / times - duration_s) - 1) * 1_000_000
    moved = [
        replace(one, columns={**one.columns, "fix_time_us": one.columns["fix_time_us"] + began_us}) for one in vehicles
    ]
    return began_us, moved


def say(done: Streamed) -> None:
    """What was sent and what became of it."""
    messages.print(
        f"Sent {done.readings:,} readings in {done.batches:,} batches ({done.attempts:,} sendings): "
        f"{done.acknowledged:,} acknowledged, {done.unacknowledged:,} not."
    )
    for kind, sendings in sorted(done.troubles.items()):
        messages.print(f"  sent again {sendings:,} times: {kind}")
    for why, readings in sorted(done.refused.items()):
        messages.print(f"  refused {readings:,}: {why}", markup=False)
