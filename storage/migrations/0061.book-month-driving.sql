-- depends: 0060.device-requests
-- A month of the book holds what any plan would price it by, not only what its own plan predicted of it: another plan may
-- carry another score model, cap by trust tier, charge minutes or count days without readings.

alter table policy.book_month
    add column class_mean numeric not null default 0.8;  -- that the predicted claims are held against

-- Beside the narrow row, which lists of a large book read, and not in it.
create table policy.book_month_driving (
    policy_key      uuid    not null,
    period          text    not null,
    totals          jsonb   not null,  -- of the month's counted trips, what a model may read
    tier            text    not null,  -- the weakest of those; '': there are none
    minutes         integer not null,  -- of the charged trips
    unmeasured_days integer,           -- null: its plan does not ask
    primary key (policy_key, period),
    foreign key (period, policy_key) references policy.book_month on delete cascade
);
grant select, insert, update, delete on policy.book_month_driving to wayrate_policy;

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
             where not is_unacked and name !~ '^(starts_|territory:)' group by policy_key, period, name) by_name
     group by policy_key, period
), others as (
    select policy_key, period, sum((duration_s + 30) / 60)::integer as minutes,
           (array_agg(tier order by array_position(array['claim', 'bound_network', 'tls', 'signed'], tier))
               filter (where not is_unacked))[1] as tier
      from charged group by policy_key, period
)
insert into policy.book_month_driving
select m.policy_key, m.period, coalesce(s.totals, '{}'), coalesce(o.tier, ''), coalesce(o.minutes, 0), null
  from policy.book_month m left join others o using (policy_key, period) left join summed s using (policy_key, period);
