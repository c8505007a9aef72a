"""What Mosquitto needs to stand in front of us: its configuration, the access list, and the passwords of the devices.

A password is a device's token, of which we hold a hash in Mosquitto's own form. The subscriber's own secret is made
once and stays in the folder, in a file that only its owner reads.
"""

import os
import secrets
import shutil
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib import resources
from pathlib import Path
from string import Template

from ingest.body import MAX_BODY_BYTES
from ingest.devices import broker_password
from ingest.errors import BadBrokerFolder
from ingest.store import fetch_broker_users
from storage.pool import Database

GATEWAY_USER = "wayrate_gateway"  # an underscore: no device can have this id
SECRET_FILE = "gateway.secret"  # noqa: S105 - a file's name
_HEADER_BYTES = 64 * 1024  # of an MQTT packet: the topic, and its properties
_MEMORY_BYTES = 1024 * 1024 * 1024
_BROKER_ACCOUNT = "mosquitto"  # what the broker becomes when root starts it


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the broker listens; with certificate and key (PEM files) by TLS."""

    bind: str = "127.0.0.1"
    port: int = 1883
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Passwords:
    """Who the broker lets in: enrolled devices, and how many have a token from before it could."""

    devices: int
    without: int
    changed: bool


def write_configuration(folder: Path, listener: Listener, *, memory_bytes: int = _MEMORY_BYTES) -> None:
    """`mosquitto.conf`, the access list and the subscriber's secret (kept if it is there). Raises `BadBrokerFolder`."""
    folder = folder.absolute()
    if any(character.isspace() for character in str(folder)):
        raise BadBrokerFolder(str(folder), "Mosquitto reads no path with a space")
    try:
        (folder / "kept").mkdir(parents=True, exist_ok=True)
        for place in (folder, folder / "kept"):
            place.chmod(0o700)
            _give_to_broker(place)
        secret = folder / SECRET_FILE
        if not secret.exists():
            _write(secret, secrets.token_urlsafe(32) + "\n", for_broker=False)
        facts = {
            "folder": folder,
            "bind": listener.bind,
            "port": listener.port,
            "tls": _tls(listener),
            "max_packet_bytes": MAX_BODY_BYTES + _HEADER_BYTES,
            "memory_bytes": memory_bytes,
            "gateway": GATEWAY_USER,
        }
        for name in ("mosquitto.conf", "access"):
            text = (resources.files("ingest") / "mosquitto" / name).read_text(encoding="utf-8")
            _write(folder / name, Template(text).substitute(facts))
    except OSError as err:
        raise BadBrokerFolder(str(folder), str(err)) from err


def write_passwords(database: Database, folder: Path, as_of: datetime) -> Passwords:
    """The password file of the devices that may send at `as_of`: each with its newest token. Raises `BadBrokerFolder`.

    Mosquitto has one password a user, so of two tokens in the overlap of a rotation it takes the newer.
    """
    own = read_secret(folder / SECRET_FILE)
    with database.role("telemetry") as conn:
        users = fetch_broker_users(conn, as_of)
    known = [f"{device_id}:{password}\n" for device_id, password in users if password is not None]
    salt = sha256(own.encode()).digest()[:12]  # the same line each time: an unchanged file is left alone
    content = "".join([f"{GATEWAY_USER}:{broker_password(own, salt)}\n", *known])
    file = folder / "passwords"
    try:
        changed = not file.exists() or file.read_text(encoding="utf-8") != content
        if changed:
            _write(file, content)
    except OSError as err:
        raise BadBrokerFolder(str(folder), str(err)) from err
    return Passwords(len(known), len(users) - len(known), changed)


def read_secret(file: Path) -> str:
    """The subscriber's password. Raises `BadBrokerFolder`."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as err:
        raise BadBrokerFolder(str(file), f"{err}; `wayrate mqtt config` makes it") from err


def _tls(listener: Listener) -> str:
    if listener.certificate is None or listener.key is None:
        return "# No TLS: listen on this machine alone, or behind something that ends TLS.\n"
    return f"certfile {listener.certificate.absolute()}\nkeyfile {listener.key.absolute()}\ntls_version tlsv1.2\n"


def _write(file: Path, content: str, *, for_broker: bool = True) -> None:
    """The file replaced as a whole: whoever reads it meanwhile has one or the other."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    if for_broker:
        _give_to_broker(unfinished)
    unfinished.replace(file)


def _give_to_broker(place: Path) -> None:
    """Mosquitto started by root becomes an account of its own, which has to read this."""
    if os.geteuid() == 0:
        try:
            shutil.chown(place, _BROKER_ACCOUNT, _BROKER_ACCOUNT)
        except LookupError:
            return  # no such account: the broker is elsewhere
