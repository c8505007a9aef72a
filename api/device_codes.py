"""A device's one-time code: asked for by program or by form, made once for its key, and noted."""

from datetime import datetime

from api.access import device_object, looked
from api.device_errors import DeviceEnded, UnfitDevice
from api.store import Account
from ingest.device_requests import Asked, Secret, code_once
from ingest.devices import Tier
from ingest.errors import BadDeviceId, BadImei, DeviceErased, DeviceExists, RequestKeyReused
from pricing.errors import KeyReused
from storage.pool import Database


def device_code(database: Database, reader: Account, device_id: str, tier: Tier, key: str, now: datetime) -> Secret:
    """A code that the device exchanges for its token; its text is None where it was shown before, under this key.

    Raises `UnfitDevice`, `DeviceEnded` for one that has ended or was erased, and `KeyReused`.
    """
    try:
        code = code_once(database, device_id, tier, Asked(reader.account_key, key, now))
    except RequestKeyReused:
        raise KeyReused(key) from None
    except (BadDeviceId, BadImei) as error:
        raise UnfitDevice(str(error)) from None
    except (DeviceExists, DeviceErased):  # and is no device that may send
        raise DeviceEnded(device_id) from None
    note_secret(database, reader, code, "device_code_made", device_id, now)
    return code


def note_secret(
    database: Database, reader: Account, secret: Secret, action: str, device_id: str, now: datetime
) -> None:
    """Notes a code or token that is shown now; that it was shown before under its key is no news."""
    if secret.text is not None:
        looked(database, reader, action, now, object_id=device_object(database, device_id))
