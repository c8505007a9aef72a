-- depends: 0039.privacy-zones
-- What a policy drove in a month, summed: a quote reads one row where it would add up sixty trips. Numbers, never a place.
-- It can be made again from the trips at any time, and is, as soon as anything it was made of has changed.

create table link.driven_month (
    policy_key uuid not null references policy.policy on delete cascade,
    period     text not null check (period ~ '^\d{4}-\d{2}$'),
    basis      text not null,  -- what else it depends on: the plan, the term, what is shared
    taken_in   text not null,  -- which waiting changes of trips it has taken in
    driven     text not null,  -- JSON: metres by road class and hour, and the behaviour of the score's window
    primary key (policy_key, period)
);
grant select, insert, update, delete on link.driven_month to wayrate_policy, wayrate_link;

-- The changes of a policy's trips that nobody has followed yet.
create view link.waiting_change as
    select a.policy_key, c.trip_change_id from link.assignment a join telemetry.trip_change c using (device_key);
grant select on link.waiting_change to wayrate_policy;
create index trip_change_by_device on telemetry.trip_change (device_key);
