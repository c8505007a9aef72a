-- depends: 0068.contact-lists
-- Who is left alone is asked of everybody near a renewal: complaints and contacts that we began are few among the meetings.

create index touchpoint_complaints on policy.touchpoint (person_key, occurred_at, touchpoint_id)
    where kind in ('complaint', 'complaint_closed');
create index touchpoint_outbound on policy.touchpoint (person_key, occurred_at) where outbound;
