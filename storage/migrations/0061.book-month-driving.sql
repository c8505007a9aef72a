-- depends: 0060.device-requests
-- A month of the book holds what any plan would price it by, not only what its own plan predicted of it: another plan may
-- carry another score model, cap by trust tier, charge minutes or count days without readings.

alter table policy.book_month
    add column totals          jsonb   not null default '{}',  -- of the month's counted trips
    add column tier            text    not null default '',    -- the weakest of those; '': there are none
    add column minutes         integer not null default 0,     -- of the charged trips
    add column unmeasured_days integer,                        -- null: its plan does not ask
    add column class_mean      numeric not null default 0.8;   -- that the predicted claims are held against

-- Months that are summed up already, by the rules that pricing/driving.py has for new ones.
with charged as (
    select t.policy_key, t.local_month as period, t.totals, t.duration_s,
           coalesce(t.quality ->> 'tier', 'signed') as tier,
           coalesce(jsonb_exists(t.quality -> 'flags', 'unacked_only'), false) as is_unacked
      from link.trip_of_policy t join policy.policy p using (policy_key)
     where t.excluded is null and t.grade <> 'uncertified'
       and (t.started_at at time zone p.time_zone)::date >= p.starts_on
       and (t.started_at at time zone p.time_zone)::date < p.ends_on
), summed as (
    select policy_key, period, jsonb_object_agg(name, metres) as totals
      from (select policy_key, period, name, sum(metres::bigint) as metres
              from charged cross join jsonb_each_text(totals) as one(name, metres)
             where not is_unacked group by policy_key, period, name) by_name
     group by policy_key, period
), others as (
    select policy_key, period, sum((duration_s + 30) / 60)::integer as minutes,
           (array_agg(tier order by array_position(array['claim', 'bound_network', 'tls', 'signed'], tier))
               filter (where not is_unacked))[1] as tier
      from charged group by policy_key, period
)
update policy.book_month m
   set totals = coalesce(s.totals, '{}'), tier = coalesce(o.tier, ''), minutes = o.minutes
  from others o left join summed s using (policy_key, period)
 where m.policy_key = o.policy_key and m.period = o.period;
