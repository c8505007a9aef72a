"""The SQL of copies: trips that say the way of an earlier one. Role: telemetry.

Which trips are copies is a function of the trips there are, whoever came first: of all that share a part of their way
the one that started first stands; of two that started at one instant on two devices neither does, for nobody knows
whose drive it was.
"""

from collections.abc import Collection
from datetime import datetime

from storage.pool import Conn

# Held to the end of the transaction, and taken last: of two workers with one way the later one sees the other's trips.
_LOCK = "select pg_advisory_xact_lock(hashtextextended('replay', 0))"
_TELL = """
    with near as (
        select trip_id, device_key, started_at, local_month, shape
          from telemetry.trip where shape && %(shapes)s::bigint[]),
    told as (
        select near.*, (
            select first.trip_id from telemetry.trip first
             where first.shape && near.shape and first.trip_id <> near.trip_id
               and (first.started_at < near.started_at
                    or (first.started_at = near.started_at and first.device_key <> near.device_key))
             order by first.started_at, first.trip_id limit 1) as of_trip_id
          from near),
    cleared as (
        delete from telemetry.replay r using told
         where r.trip_id = told.trip_id and told.of_trip_id is null
        returning told.device_key, told.local_month),
    found as (
        insert into telemetry.replay (trip_id, of_trip_id)
        select trip_id, of_trip_id from told where of_trip_id is not null
        on conflict (trip_id) do update set of_trip_id = excluded.of_trip_id
         where telemetry.replay.of_trip_id <> excluded.of_trip_id
        returning trip_id),
    changed as (
        select device_key, local_month from cleared
        union all
        select told.device_key, told.local_month from found join told using (trip_id))
    insert into telemetry.trip_change (device_key, from_month, changed_at)
    select device_key, min(local_month), %(at)s from changed group by device_key
"""


def tell_replays(conn: Conn, shapes: Collection[int], at: datetime) -> None:
    """Say anew of every trip with one of these hashes whether it is a copy; pricing is told of those that changed."""
    if shapes:
        conn.execute(_LOCK)
        conn.execute(_TELL, {"shapes": sorted(shapes), "at": at})
