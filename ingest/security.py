"""Security events: what somebody should look at, kept in a table that is only ever added to.

A row names a device by its random key and holds no token, no id that was sent, and no place.
"""

import logging
from datetime import datetime
from enum import StrEnum

from ingest.enrolment_store import insert_security_event
from storage.pool import Conn, Database

_LOG = logging.getLogger(__name__)


class SecurityEvent(StrEnum):
    """What can happen, a closed set. docs/devices.md says what to do about each."""

    FOREIGN_DEVICE = "foreign_device"  # a credential brought a device that is not on its list
    SECOND_IMEI = "second_imei"  # a connection named another IMEI than the one it began with
    BROKER_REFUSED = "broker_refused"  # a message under the topic of a device that may not send
    WRONG_CODE = "wrong_code"  # an enrolment code that never was
    CODE_REUSED = "code_reused"  # one that was redeemed before, or has expired
    VIN_MISMATCH = "vin_mismatch"  # readings came with the number of another vehicle, or with one that is none
    CODE_GUESSING = "code_guessing"  # too many wrong codes from one address: it waits


def record_in(conn: Conn, event: SecurityEvent, at: datetime, channel: str, device_key: int) -> None:
    """Keep the event of a device in the caller's transaction."""
    insert_security_event(conn, at, event, channel, device_key, "")


def record(
    database: Database,
    event: SecurityEvent,
    at: datetime,
    *,
    channel: str,
    device_key: int | None = None,
    detail: str = "",
) -> None:
    """Keep the event, in a transaction of its own, and say it in the log. Raises `StorageUnavailable`."""
    _LOG.warning("security: %s on %s, device %s", event, channel, device_key)
    with database.role("telemetry") as conn:
        insert_security_event(conn, at, event, channel, device_key, detail)
