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
# `near`: the trips that the changed hashes may make copies; `parts`: each part of their ways with all trips of it.
# Of a part the first trip stands; the second does not either where it began with the first, on another device.
_TELL = """
    with near as materialized (
        select trip_id, device_key, started_at, local_month, shape
          from telemetry.trip where shape && %(shapes)s::bigint[]),
    parts as materialized (
        select part, trip_id, device_key, started_at,
               row_number() over (partition by part order by started_at, trip_id) as place
          from telemetry.trip, unnest(shape) as part
         where shape && array(select distinct own from near, unnest(near.shape) as own)),
    said as (
        select p.trip_id, f.started_at as first_at,
               case when f.trip_id <> p.trip_id then f.trip_id
                    when s.started_at = p.started_at and s.device_key <> p.device_key then s.trip_id end as of_trip_id
          from parts p
          join parts f on f.part = p.part and f.place = 1
          left join parts s on s.part = p.part and s.place = 2
         where p.trip_id in (select trip_id from near)),
    told as (
        select near.trip_id, near.device_key, near.local_month,
               (array_agg(said.of_trip_id order by said.first_at, said.of_trip_id)
                  filter (where said.of_trip_id is not null))[1] as of_trip_id
          from near join said using (trip_id)
         group by near.trip_id, near.device_key, near.local_month),
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
