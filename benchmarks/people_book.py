"""A big database out of the small real book of the tests, for benchmarks of the people's side.

Everybody is a copy of one real policyholder: N policies, each with ten posted months; those who drive have a device too
and the trips of three months with their metres by road class and hour, so that a quote has real driving to rate.
Odd ones have the plan with ten covers (704 configurations), even ones the plain one (6).
"""

from psycopg import Cursor

from storage.pool import Database
from tests.api.world import ANNA, POLICY_OF

TRIPS_A_MONTH = 20
MONTHS = ("2026-08", "2026-09", "2026-10")

_COPIES = (
    """insert into policy.person select md5('p' || n)::uuid, 'Person ' || n, 'p' || n || '@example.org'
         from generate_series(1, %(count)s) n""",
    """insert into policy.policy (policy_key, policy_id, person_key, starts_on, ends_on, plan_name, pay_plan, covers,
                                  factors, declared_km_per_year, time_zone)
       select md5('k' || n)::uuid, 'B-' || n, md5('p' || n)::uuid, starts_on, ends_on, %(plan)s, %(pay_plan)s,
              %(covers)s, factors, declared_km_per_year, time_zone
         from policy.policy, generate_series(1, %(count)s) n where policy_id = %(like)s""",
    """update policy.policy set plan_name = 'wayrate-2026', pay_plan = 'autograph', covers = '{liability,collision}'
        where policy_id like 'B-%%' and substr(policy_id, 3)::int %% 2 = 0""",
    """insert into policy.policy_change (change_id, policy_key, sequence, kind, effective_on, ends_on, terms, reason,
                                         made_by, made_at, idempotency_key, request_digest, plan_hash)
       select gen_random_uuid(), p.policy_key, 0, 'bind', p.starts_on, p.ends_on, '{}', 'bound',
              '00000000-0000-0000-0000-000000000000', now(), 'file ' || p.policy_id, '',
              (select r.plan_hash from policy.rate_plan r where r.name = p.plan_name limit 1)
         from policy.policy p where p.policy_id like 'B-%%'""",
    """insert into policy.statement (statement_id, policy_key, period, kind, revision, amount, currency, lines,
                                     worksheet, inputs, inputs_digest, plan_hash, versions, reason, posted_at)
       select gen_random_uuid(), md5('k' || n)::uuid, '2026-' || lpad(m::text, 2, '0'), kind, revision, amount,
              currency, lines, worksheet, inputs, inputs_digest, plan_hash, versions, reason, posted_at
         from (select s.* from policy.statement s join policy.policy using (policy_key)
                where policy_id = %(like)s and revision = 0 limit 1) s,
              generate_series(1, %(count)s) n, generate_series(1, 10) m""",
    "insert into telemetry.device (device_key, device_id, enrolled_at) select n, 'd' || n, now()"
    "  from generate_series(1, %(drivers)s) n",
    """insert into link.assignment (device_key, policy_key, from_time)
       select n, md5('k' || n)::uuid, '2026-01-01' from generate_series(1, %(drivers)s) n""",
    """insert into telemetry.trip
       select md5(n || '/' || month || '/' || d)::uuid, n, ts, ts + (ended_at - started_at), time_zone, month,
              distance_m + 37 * (n %% 101) + d, gap_m, duration_s, sampling_interval_s, excluded, grade, quality,
              not_measurable, totals, features, score, versions, content_digest
         from (select * from telemetry.trip where excluded is null and grade <> 'uncertified'
                order by started_at limit 1) t,
              generate_series(1, %(drivers)s) n, unnest(%(months)s::text[]) month, generate_series(1, %(trips)s) d,
              lateral (select ((month || '-' || lpad(d::text, 2, '0'))::timestamp + interval '7 hours')
                              at time zone 'Europe/Helsinki' as ts) at""",
    """insert into telemetry.trip_exposure (trip_id, road_class, hour_band, over_limit_band, distance_m, duration_s)
       select md5(n || '/' || month || '/' || d)::uuid, road_class, hour_band, over_limit_band, e.distance_m,
              e.duration_s
         from (select trip_id from telemetry.trip where device_key not in (select generate_series(1, %(drivers)s))
                  and excluded is null and grade <> 'uncertified' order by started_at limit 1) t
         join telemetry.trip_exposure e using (trip_id),
              generate_series(1, %(drivers)s) n, unnest(%(months)s::text[]) month, generate_series(1, %(trips)s) d""",
)  # fmt: skip
_TABLES = (
    "policy.person", "policy.policy", "policy.policy_change", "policy.statement", "link.assignment", "telemetry.trip",
    "telemetry.trip_exposure",
)  # fmt: skip


def copy_book(database: Database, count: int, drivers: int) -> None:
    """The book, copied, and counted by the planner."""
    values = {
        "count": count, "drivers": drivers, "like": POLICY_OF[ANNA], "plan": "wayrate-menu-2026",
        "pay_plan": "behaviour", "covers": ["liability", "collision_500"], "months": list(MONTHS),
        "trips": TRIPS_A_MONTH,
    }  # fmt: skip
    with database.role("owner") as conn:
        for copy in _COPIES:
            done: Cursor[tuple[object, ...]] = conn.execute(copy, values)
            print(f"{done.rowcount:>11,} rows  {copy.split()[2 if copy.startswith('insert') else 1]}", flush=True)
    with database.role("owner") as conn:
        for table in _TABLES:
            conn.execute(f"analyze {table}")
