-- depends: 0005.reading-partitions
-- What a gateway noticed about a session, on the first upload after it; null: nothing.

alter table telemetry.upload
    add column flags text[] check (flags <@ array['codec_switch', 'dual_session']);
