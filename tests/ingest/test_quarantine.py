"""Replay: what was refused goes through the same front door once it can be read, and only once."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest import quarantine_store as store
from ingest.accept import accept, accept_file
from ingest.decoded import Decoded
from ingest.decoders import osmand, owntracks, teltonika, traccar, wayrate
from ingest.devices import enrol, find_device, revoke
from ingest.errors import UnknownQuarantine
from ingest.files.read import read_file
from ingest.quarantine import Outcome, masked, masked_text, replay, replay_all, shown
from ingest.quarantine_store import Filter, Kept
from scoring.verify import verify
from storage.pool import Database
from tests.ingest.conftest import NOW
from tests.ingest.teltonika_frames import Record, body, datagram, packet

LATER = NOW + timedelta(days=80)
FAST_MPS = 160.0
FAST_KMH = 576
COMMAND = b"\x0c\x01\x06\0\0\0\x02ok\x01"  # an answer that nobody asked for
type Decode = Callable[[bytes], Decoded]


@pytest.fixture(autouse=True)
def _device(database: Database) -> None:
    with database.role("telemetry") as conn:
        enrol(conn, "car-1", NOW - timedelta(days=1))


def send(database: Database, channel: str, frame: bytes, decode: Decode, received_at: datetime = NOW) -> None:
    with database.role("telemetry") as conn:
        device = find_device(conn, "car-1")
    accept(
        database, device, frame, decode, received_at=received_at, channel=channel, decoder_version="old/0", tier="tls"
    )


def kept(database: Database, *, waiting: bool = True) -> list[int]:
    with database.role("telemetry") as conn:
        return store.fetch_ids(conn, Filter(waiting=waiting), 100)


def one(database: Database, quarantine_id: int) -> Kept:
    with database.role("telemetry") as conn:
        found = store.fetch_kept(conn, quarantine_id)
    assert found is not None
    return found


def conserved(database: Database) -> dict[str, int]:
    found = verify(database)
    assert found.breaks == ()
    return {"received": found.received, "stored": found.stored, "duplicate": found.duplicate}


def osmand_query(frame: bytes) -> Decoded:
    return osmand.decode(frame, "t" * 32, is_json=False)


def osmand_json(frame: bytes) -> Decoded:
    return osmand.decode(frame, "t" * 32, is_json=True)


FAST = Record(speed_kmh=FAST_KMH)
_LOCATION = {"timestamp": "2026-10-01T10:00:00Z", "coords": {"latitude": 60.1, "longitude": 24.9, "speed": FAST_MPS}}
_POSITION = {"fixTime": "2026-10-01T10:00:00Z", "latitude": 60.1, "longitude": 24.9, "speed": FAST_MPS * 3600 / 1852}
# Too fast by today's rule, on each channel: refused as one record of a frame.
TOO_FAST: dict[str, tuple[str, bytes, Decode]] = {
    "wayrate": ("http", json.dumps({"readings": [
        {"fix_time": "2026-10-01T10:00:00Z", "latitude_deg": 60.1, "longitude_deg": 24.9, "speed_mps": 11.0},
        {"fix_time": "2026-10-01T10:00:01Z", "latitude_deg": 60.1, "longitude_deg": 24.9, "speed_mps": FAST_MPS},
    ]}).encode(), wayrate.decode),
    "osmand query": ("osmand", b"id=" + b"t" * 32 + b"&lat=60.1&lon=24.9&timestamp=1790848800&speed=311",
                     osmand_query),
    "osmand json": ("osmand", json.dumps({"device_id": "t" * 32, "location": _LOCATION}).encode(), osmand_json),
    "owntracks": ("owntracks", b'{"_type":"location","tst":1790848800,"lat":60.1,"lon":24.9,"vel":576}',
                  owntracks.decode),
    "traccar": ("traccar", json.dumps({"device": {"uniqueId": "car-1"}, "position": _POSITION}).encode(),
                lambda raw: traccar.decode(raw, "car-1")),
    **{f"teltonika {codec:#x}": ("teltonika-tcp", packet(body([Record(time_ms=1_790_852_399_000), FAST], codec)),
                                 lambda raw: teltonika.decode_tcp(raw).decoded) for codec in (0x08, 0x8E, 0x10)},
    "teltonika udp": ("teltonika-udp", datagram("356307042441013", body([FAST], 0x8E)),
                      lambda raw: teltonika.decode_udp(raw).decoded),
}  # fmt: skip


@pytest.mark.parametrize("case", TOO_FAST)
def test_a_refused_record_is_stored_once_its_rule_has_changed(
    database: Database, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Still refused under the old rule; stored under the new one, at the old time of receipt; then never again."""
    channel, frame, decode = TOO_FAST[case]
    send(database, channel, frame, decode)
    (quarantine_id,) = kept(database)
    before = conserved(database)
    assert one(database, quarantine_id).reason == "range"
    refused = replay(database, quarantine_id, LATER)
    assert (refused.outcome, refused.reason) == (Outcome.STILL_QUARANTINED, "range")
    assert conserved(database) == before
    monkeypatch.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
    replayed = replay(database, quarantine_id, LATER)
    assert (replayed.outcome, replayed.stored, replayed.quarantined) == (Outcome.STORED, 1, 0)
    after = conserved(database)
    assert after == {**before, "received": before["received"] + 1, "stored": before["stored"] + 1}
    again = replay(database, quarantine_id, LATER)
    assert (again.outcome, again.stored) == (Outcome.REPLAYED_BEFORE, 0)
    assert conserved(database) == after
    assert kept(database) == []
    with database.role("telemetry") as conn:
        rows = conn.execute(
            "select received_at, channel, tier, records_stored from telemetry.upload order by upload_id desc limit 1"
        ).fetchall()
        speed = conn.execute("select max(speed_mps) from telemetry.reading").fetchone()
    assert rows == [(NOW, channel, "tls", 1)]
    assert speed is not None
    assert speed[0] == pytest.approx(FAST_MPS, rel=1e-4)


def test_a_frame_that_no_decoder_read_is_replayed_when_one_does(
    database: Database, batch: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole frame counts as one record when it is refused, and as what it holds when it is read."""
    frame = b"v9" + batch(4, latitude_deg=91)
    send(database, "http", frame, wayrate.decode)
    (quarantine_id,) = kept(database)
    assert replay(database, quarantine_id, LATER).outcome is Outcome.STILL_QUARANTINED
    shipped = wayrate.decode
    monkeypatch.setattr(wayrate, "decode", lambda raw: shipped(raw.removeprefix(b"v9")))
    replayed = replay(database, quarantine_id, LATER)
    assert (replayed.outcome, replayed.stored, replayed.duplicate, replayed.quarantined) == (Outcome.STORED, 3, 0, 1)
    (second,) = kept(database)
    assert (one(database, second).reason, one(database, second).record_index) == ("range", 1)
    assert conserved(database)["received"] == 1 + 4


def test_a_device_that_sent_it_again_meanwhile_makes_the_replay_a_duplicate(
    database: Database, batch: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(database, "http", batch(2, speed_mps=FAST_MPS), wayrate.decode)
    monkeypatch.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
    send(database, "http", batch(2, speed_mps=FAST_MPS), wayrate.decode)
    (quarantine_id,) = kept(database)
    replayed = replay(database, quarantine_id, LATER)
    assert (replayed.outcome, replayed.stored, replayed.duplicate) == (Outcome.DUPLICATE, 0, 1)
    conserved(database)


def test_sixteen_at_once_store_it_once(
    database: Database, batch: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(database, "http", batch(2, speed_mps=FAST_MPS), wayrate.decode)
    (quarantine_id,) = kept(database)
    monkeypatch.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda _: replay(database, quarantine_id, LATER), range(16)))
    assert sorted(each.outcome for each in done) == [Outcome.REPLAYED_BEFORE] * 15 + [Outcome.STORED]
    assert conserved(database)["stored"] == 2


def test_the_clock_of_a_replay_is_the_time_of_receipt(database: Database, batch: Callable[..., bytes]) -> None:
    """What was too far ahead when it came is too far ahead for ever, and what was not too late is not too late now."""
    early = NOW - timedelta(days=30)
    send(database, "http", batch(3), wayrate.decode, early)
    assert [replay(database, each, LATER).reason for each in kept(database)] == ["future"] * 3
    old = batch(2, speed_mps=FAST_MPS).replace(b"2026-10-01", b"2026-07-05")
    send(database, "http", old, wayrate.decode)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
        assert replay(database, kept(database)[-1], LATER).outcome is Outcome.STORED


@pytest.mark.parametrize(
    ("frame", "reason"),
    [(packet(body([Record()], trailing=b"\x01\x02")), "trailing"), (packet(COMMAND), "unsolicited")],
)
def test_what_is_refused_again_for_the_same_reason_changes_nothing(
    database: Database, frame: bytes, reason: str
) -> None:
    send(database, "teltonika-tcp", frame, lambda raw: teltonika.decode_tcp(raw).decoded)
    (quarantine_id,) = kept(database)
    before = conserved(database)
    replayed = replay(database, quarantine_id, LATER)
    assert (replayed.outcome, replayed.reason) == (Outcome.STILL_QUARANTINED, reason)
    assert conserved(database) == before
    assert kept(database) == [quarantine_id]


def test_a_damaged_packet_stays(database: Database) -> None:
    frame = packet(body([Record()]))[:-1] + b"\xff"
    refused = teltonika.decode_tcp(packet(COMMAND)).decoded
    crc_stuck = replace(refused, rejected=tuple(replace(each, raw=frame) for each in refused.rejected))
    send(database, "teltonika-tcp", frame, lambda _: crc_stuck)
    replayed = replay(database, kept(database)[0], LATER)
    assert replayed.outcome is Outcome.STILL_QUARANTINED
    assert "crc" in str(replayed.detail)


def test_nothing_is_stored_for_a_revoked_device(
    database: Database, batch: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    send(database, "http", batch(2, speed_mps=FAST_MPS), wayrate.decode)
    with database.role("telemetry") as conn:
        revoke(conn, "car-1", NOW)
    monkeypatch.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
    before = conserved(database)
    assert replay(database, kept(database)[0], LATER).outcome is Outcome.DEVICE_REVOKED
    assert conserved(database) == before


def test_a_row_of_a_file_is_ingested_again_instead(database: Database, tmp_path: Path) -> None:
    table = tmp_path / "drive.csv"
    table.write_text("fix_time,latitude_deg,longitude_deg\n1790848800,60,25\n1790848801,91,25\n")
    ((_, decoded),) = read_file(table)
    accept_file(database, "car-1", decoded, NOW)
    replayed = replay(database, kept(database)[0], LATER)
    assert replayed.outcome is Outcome.NOT_REPLAYABLE
    assert "ingest the file again" in str(replayed.detail)


def test_a_reason_is_replayed_as_a_whole_and_another_left_alone(
    database: Database, batch: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for speed in (FAST_MPS, FAST_MPS + 1, "fast"):
        send(database, "http", batch(2, speed_mps=speed), wayrate.decode)
    monkeypatch.setattr("ingest.validate.MAX_SPEED_MPS", 200.0)
    told: list[tuple[int, int]] = []
    done = replay_all(database, Filter(reason="range"), LATER, lambda *each: told.append(each))
    assert [each.outcome for each in done] == [Outcome.STORED] * 2
    assert told == [(1, 2), (2, 2)]
    assert [one(database, each).reason for each in kept(database)] == ["type"]
    with database.role("telemetry") as conn:
        counts = {count.reason: (count.waiting, count.replayed) for count in store.count_by_reason(conn, None)}
    assert counts == {"type": (1, 0), "range": (0, 2)}


def test_the_list_is_filtered_by_reason_device_channel_and_time(
    database: Database, batch: Callable[..., bytes]
) -> None:
    send(database, "http", batch(2, latitude_deg=91), wayrate.decode, datetime(2026, 10, 2, tzinfo=UTC))
    send(database, "osmand", b"lat=x", osmand_query)
    wanted = [
        (Filter(), 2),
        (Filter(reason="range"), 1),
        (Filter(device_id="car-1"), 2),
        (Filter(device_id="car-2"), 0),
        (Filter(channel="osmand"), 1),
        (Filter(since=NOW + timedelta(hours=1)), 1),
        (Filter(until=NOW + timedelta(hours=1)), 1),
        (Filter(until=NOW), 0),
    ]
    with database.role("telemetry") as conn:
        assert [len(store.fetch_rows(conn, which, 10)) for which, _ in wanted] == [count for _, count in wanted]
        assert len(store.fetch_rows(conn, Filter(), 1)) == 1


def test_an_unknown_id_is_said(database: Database) -> None:
    with pytest.raises(UnknownQuarantine, match="17"):
        replay(database, 17, LATER)


def test_bytes_are_shown_without_anything_a_terminal_obeys() -> None:
    hostile = "lat=60\x1b]0;owned\x07 \u202egnp.exe \\x1b".encode() + b" " * 60
    seen = shown(hostile)
    assert seen.form == "text"
    assert seen.content.isascii()
    assert seen.content.isprintable()
    assert seen.content.startswith(r"lat=60\x1b]0;owned\x07 \xe2\x80\xaegnp.exe \x5cx1b")
    assert shown(packet(body([Record()]))).form == "hex"


def test_masked_bytes_hold_no_digit_of_a_place(database: Database, batch: Callable[..., bytes]) -> None:
    for channel, frame, decode in TOO_FAST.values():
        send(database, channel, frame, decode)
    for quarantine_id in kept(database):
        found = one(database, quarantine_id)
        seen = masked(found)
        if seen.form == "text":
            assert not any(letter.isdigit() for letter in seen.content)
            assert "lat" in seen.content
        else:
            assert seen.content == ".."
    whole = replace(one(database, kept(database)[0]), raw=packet(body([FAST])), record_index=None)
    assert masked(whole).content == packet(body([FAST]))[:10].hex() + ".."
    assert masked_text("lon is '24.94٣'") == "lon is '##.###'"
