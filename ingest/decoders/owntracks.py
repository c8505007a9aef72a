"""OwnTracks over HTTP: one JSON message a request, of which `location` holds a position. The app reads `[]` back.

`tst` is seconds since 1970, `vel` km/h, `acc` metres. Its other messages (waypoints, transitions, cards, ...) hold
nothing that is measured here; an encrypted one is refused, for there may be a position in it.
"""

import msgspec

from ingest.decoded import Decoded, refused_frame
from ingest.decoders.diagnosis import Kind
from ingest.decoders.single import UNKNOWN, decode_single, nothing, one_reading, required, time_of
from ingest.readings import Flag
from ingest.rejection import Rejection

VERSION = "owntracks/1"
ANSWER = b"[]"
KMH_A_MPS = 3.6
_OTHER_TYPES = frozenset(
    (
        "beacon", "card", "cmd", "configuration", "dump", "lwt", "request", "status", "steps", "transition", "waypoint",
        "waypoints",
    )
)  # fmt: skip
_EMPTY = frozenset({b"", b"null", b"[]", b"{}"})


class _Message(msgspec.Struct, gc=False):
    kind: str | None = msgspec.field(name="_type", default=None)
    tst: float | None = None
    lat: float | None = None
    lon: float | None = None
    acc: float | None = None
    alt: float | None = None
    vel: float | None = None
    cog: float | None = None


_DECODER = msgspec.json.Decoder(_Message)
_KINDS: dict[str, Kind] = {
    "_type": "text",
    **dict.fromkeys(("tst", "lat", "lon", "acc", "alt", "vel", "cog"), "number"),
}


def decode(body: bytes) -> Decoded:
    """The position of one request; nothing when it is empty or about something else."""
    if body.strip() in _EMPTY:
        return nothing(body)
    return decode_single(body, _DECODER, _KINDS, lambda message: _decoded(body, message))


def _decoded(body: bytes, message: _Message) -> Decoded:
    if message.kind in _OTHER_TYPES:
        return nothing(body)
    if message.kind != "location":
        return refused_frame(body, Rejection.MALFORMED, f"_type is {str(message.kind)[:40]!a}, not 'location'")
    columns = {
        "latitude_deg": required("lat", message.lat),
        "longitude_deg": required("lon", message.lon),
        "accuracy_m": message.acc,
        "altitude_m": message.alt,
        "speed_mps": None if message.vel is None or message.vel == UNKNOWN else message.vel / KMH_A_MPS,
        "heading_deg": None if message.cog == UNKNOWN else message.cog,
    }
    return one_reading(body, time_of("tst", message.tst, 1), Flag(0), columns)
