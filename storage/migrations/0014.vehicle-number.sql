-- depends: 0013.replays
-- The vehicle that a device is declared to be in: what it says of another one is flagged, and such trips do not count.

alter table telemetry.device add column vin text check (vin ~ '^[A-HJ-NPR-Z0-9]{17}$');
