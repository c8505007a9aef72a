"""What can go wrong in ingest. Each error names its facts and what to do; none of them acknowledges anything."""

from dataclasses import dataclass
from datetime import datetime


class IngestError(Exception):
    """Base of every error of this package."""


class BodyError(IngestError):
    """A request's body is refused as a whole, before anything of it is stored."""


@dataclass(eq=False)
class BodyTooLarge(BodyError):
    """More bytes than a request may have, as sent or once inflated."""

    limit_bytes: int
    inflated: bool

    def __str__(self) -> str:
        what = "inflated body" if self.inflated else "body"
        return f"the {what} is over {self.limit_bytes} bytes; send the readings in several smaller requests"


@dataclass(eq=False)
class InflatesTooMuch(BodyError):
    """A compressed body that grows more than telemetry does."""

    ratio: int

    def __str__(self) -> str:
        return f"the body inflates to over {self.ratio} times its size; send it without compression"


@dataclass(eq=False)
class TooManyRecords(BodyError):
    """More records than a batch may hold."""

    records: int
    limit: int

    def __str__(self) -> str:
        return f"the batch has {self.records} records, over {self.limit}; send it in several smaller requests"


@dataclass(eq=False)
class BrokenCompression(BodyError):
    """The bytes are not one whole stream of the announced encoding."""

    encoding: str
    detail: str

    def __str__(self) -> str:
        return f"the body is not one complete {self.encoding} stream: {self.detail}; send it again"


@dataclass(eq=False)
class UnknownEncoding(BodyError):
    """A Content-Encoding or Content-Type that is not read here."""

    header: str
    value: str
    accepted: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.header} {self.value!a} is not supported; use one of {', '.join(self.accepted)}"


@dataclass(eq=False)
class TooDeep(BodyError):
    """JSON nested deeper than any batch is."""

    limit: int

    def __str__(self) -> str:
        return f"the JSON is nested over {self.limit} deep; a batch is {{'readings': [{{...}}, ...]}}"


@dataclass(eq=False)
class EmptyBody(BodyError):
    """Nothing was sent: no bytes, null, [] or {}."""

    def __str__(self) -> str:
        return "the body holds no batch; send {'readings': [...]}"


@dataclass(eq=False)
class BodyTooSlow(BodyError):
    """The body did not arrive in its time."""

    bytes_per_s: int

    def __str__(self) -> str:
        return f"the body arrived slower than {self.bytes_per_s} bytes a second; send it again on a better connection"


@dataclass(eq=False)
class IdempotencyConflict(IngestError):
    """One Idempotency-Key, two bodies."""

    earlier_sha256: str
    sent_sha256: str

    def __str__(self) -> str:
        return (
            f"this Idempotency-Key was used for another body (sha-256 {self.earlier_sha256[:16]}..., now "
            f"{self.sent_sha256[:16]}...); send the other body under its own key"
        )


@dataclass(eq=False)
class BadDeviceId(IngestError):
    """An id that no device can have."""

    device_id: str

    def __str__(self) -> str:
        return f"device id {self.device_id[:80]!a} is not 1 to 64 of a-z, 0-9 and hyphen"


@dataclass(eq=False)
class DeviceExists(IngestError):
    """Enrolling an id that is enrolled."""

    device_id: str

    def __str__(self) -> str:
        return f"device {self.device_id} is enrolled already; rotate its token to get another"


@dataclass(eq=False)
class DeviceErased(IngestError):
    """Enrolling an id that was erased with the person whom it measured."""

    device_id: str

    def __str__(self) -> str:
        return (
            f"device {self.device_id} was erased with the person whom it measured; when it is somebody else's now, "
            f"`wayrate erasure lift {self.device_id}` lets it be enrolled again"
        )


class DeviceNotNamed(IngestError):
    """Readings of a file that does not say which device they are of."""

    def __str__(self) -> str:
        return "the file does not say which device its readings are of; name it with --device"


@dataclass(eq=False)
class UnknownDevice(IngestError):
    """An id that is not enrolled, or was revoked."""

    device_id: str

    def __str__(self) -> str:
        return f"device {self.device_id[:80]!a} is not enrolled (or revoked); enrol it with `wayrate device enrol`"


@dataclass(eq=False)
class DeviceRevoked(IngestError):
    """The device's right to send ended between its authentication and the store."""

    device_key: int

    def __str__(self) -> str:
        return "the device is revoked; nothing was stored"


@dataclass(eq=False)
class Overloaded(IngestError):
    """More waits to be stored than may: nothing of this upload was taken."""

    waiting: str  # of what there is too much: "records", "bytes" or "uploads of this device"
    limit: int

    def __str__(self) -> str:
        return f"over {self.limit} {self.waiting} wait to be stored already; nothing was stored: send it again later"


@dataclass(eq=False)
class UnknownQuarantine(IngestError):
    """An id under which nothing is kept."""

    quarantine_id: int

    def __str__(self) -> str:
        return f"nothing is kept in quarantine under {self.quarantine_id}; `wayrate quarantine list` shows what is"


@dataclass(eq=False)
class UnreadablePacket(IngestError):
    """A kept packet that no decoder here reads yet."""

    fault: str

    def __str__(self) -> str:
        return f"the packet cannot be read yet: {self.fault}"


@dataclass(eq=False)
class UnscoredWindows(IngestError):
    """Readings that would expire have not become trips yet."""

    windows: int
    before: datetime

    def __str__(self) -> str:
        return (
            f"{self.windows} window(s) from before {self.before:%Y-%m-%d} wait to be scored; nothing was deleted: run "
            "`wayrate work` first, or delete them all the same with --even-unscored"
        )


@dataclass(eq=False)
class BadVin(IngestError):
    """A vehicle number that no vehicle can have."""

    vin: str

    def __str__(self) -> str:
        return (
            f"{self.vin[:40]!a} is no vehicle number: 17 capital letters and digits without I, O and Q, the ninth of "
            "them a check digit in North America and China; look at the windscreen or the registration"
        )


@dataclass(eq=False)
class BadImei(IngestError):
    """An IMEI that no device can have."""

    digits: str

    def __str__(self) -> str:
        return f"{self.digits[:40]!a} is no IMEI: 15 digits, the last of them a check digit; look at the device's label"


class CodeError(IngestError):
    """A one-time code is not taken."""


class UnknownCode(CodeError):
    """A code that never was."""

    def __str__(self) -> str:
        return "this code is not known; check it, or ask for another"


class CodeSpent(CodeError):
    """A code that was redeemed before, or has expired, or whose device is revoked."""

    def __str__(self) -> str:
        return "this code was used before or has expired; ask for another"


@dataclass(eq=False)
class TooManyCodes(CodeError):
    """Too many wrong codes from one address."""

    wait_s: int

    def __str__(self) -> str:
        return f"too many wrong codes came from this address; try again in {self.wait_s} seconds"


@dataclass(eq=False)
class RequestKeyReused(IngestError):
    """An idempotency key that came with another request before."""

    key: str

    def __str__(self) -> str:
        return f"the key {self.key!r} came with another request before: take a fresh key for a fresh request"


class FileError(IngestError):
    """A file is refused as a whole: nothing of it was ingested."""


@dataclass(eq=False)
class UnreadableFile(FileError):
    """Not a file of the kind its name says."""

    file: str
    detail: str

    def __str__(self) -> str:
        return f"{self.file} cannot be read: {self.detail}; nothing was ingested"


@dataclass(eq=False)
class MissingColumn(FileError):
    """The mapping names a column that the file's first row does not."""

    file: str
    column: str
    row: int
    present: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.file}, row {self.row}: there is no column {self.column!r} (it has {', '.join(self.present)}); "
            "nothing was ingested: correct the mapping"
        )


@dataclass(eq=False)
class WrongMapping(FileError):
    """No row of a column can be read in the way the mapping says."""

    file: str
    column: str
    row: int
    value: str
    expected: str

    def __str__(self) -> str:
        return (
            f"{self.file}, column {self.column!r}, row {self.row}: {self.value[:60]!a} is not {self.expected}, "
            "and neither is any other row's; nothing was ingested: correct the mapping"
        )


@dataclass(eq=False)
class BadMapping(FileError):
    """The mapping file itself is wrong."""

    file: str
    detail: str

    def __str__(self) -> str:
        return f"mapping {self.file}: {self.detail}"


@dataclass(eq=False)
class BadBrokerFolder(IngestError):
    """The folder of the broker's files cannot be written, read, or named in its configuration."""

    folder: str
    detail: str

    def __str__(self) -> str:
        return f"the broker's folder {self.folder} cannot be used: {self.detail}"


@dataclass(eq=False)
class BadBrokerAddress(IngestError):
    """What is no address of an MQTT broker."""

    address: str

    def __str__(self) -> str:
        return f"{self.address[:80]!a} is no broker's address; give mqtt://HOST:PORT, or mqtts://HOST:PORT for TLS"


@dataclass(eq=False)
class TooManyUploads(IngestError):
    """A credential sends more often than it may: nothing of this upload was taken."""

    wait_s: float

    def __str__(self) -> str:
        return f"this device uploads too often; send again in {self.wait_s:.1f} s, several readings in one request"
