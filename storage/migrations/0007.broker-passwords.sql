-- depends: 0006.upload-flags
-- A device may also come by a broker, which holds no SHA-256 but Mosquitto's own hash of a password: made when the token
-- is, for the token itself is stored nowhere. Null: a token from before; rotating gives one that the broker knows.
alter table telemetry.credential add column broker_password text;
