"""Which device measures which policy, from when to when: one policy at a time."""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from pricing import store
from pricing.errors import DeviceTaken, EndedDevice, NothingToMeasure, UnknownDevice, UnknownPolicy
from pricing.store import Policy
from storage.pool import Conn, Database


def assign_device(database: Database, policy_id: str, device_id: str, from_time: datetime | None = None) -> bool:
    """From `from_time` (None: the start of the policy) the device measures this policy; repeating changes nothing.

    Whether it did not before. A policy whose cover is over by then hands it over.
    Raises UnknownPolicy, UnknownDevice, DeviceTaken; EndedDevice, NothingToMeasure where a link would be made.
    """
    with database.role("policy") as conn:
        policy = store.fetch_policy(conn, policy_id)
    if policy is None:
        raise UnknownPolicy(policy_id)
    cover_begins, cover_ends = cover_span(policy)
    start = from_time or cover_begins
    with database.role("link") as conn:
        device_key, is_ended = _device_key(conn, device_id)
        assigned = store.fetch_assignments(conn, device_key, start)
        own = [held_from for other, held_from, _ in assigned if other == policy_id]
        others = {other: over_at for other, _, over_at in assigned if other != policy_id}
        for other, over_at in others.items():
            if over_at > start:
                raise DeviceTaken(device_id, other)
        if not own and is_ended:
            raise EndedDevice(device_id)
        if not own and start >= cover_ends:
            raise NothingToMeasure(policy_id, start)
        for other in others:
            store.end_links(conn, device_key, other, start)
        if not own:
            store.insert_assignment(conn, device_key, policy.policy_key, start)
        elif start < own[0]:
            store.begin_assignment_earlier(conn, device_key, own[0], start)
        return not own


def cover_span(policy: Policy) -> tuple[datetime, datetime]:
    """When the cover begins and ends, by the clock of the policy's place."""
    begins, ends = (
        datetime.combine(day, time(), ZoneInfo(policy.time_zone)).astimezone(UTC)
        for day in (policy.starts_on, policy.ends_on)
    )
    return begins, ends


def release_device(database: Database, policy_id: str, device_id: str, at: datetime) -> None:
    """From `at` on the device measures this policy no longer; repeating changes nothing.

    What it measured before stays the policy's; a link that had not begun is gone.
    Raises UnknownPolicy; UnknownDevice, also where it never measured it.
    """
    with database.role("policy") as conn:
        if store.fetch_policy(conn, policy_id) is None:
            raise UnknownPolicy(policy_id)
    with database.role("link") as conn:
        if not store.end_links(conn, _device_key(conn, device_id)[0], policy_id, at):
            raise UnknownDevice(device_id)


def require_devices(database: Database, policy: Policy, devices: Iterable[str]) -> list[str]:
    """Those of them that were ended, before anything is agreed.

    Raises UnknownDevice for the first that is not enrolled, DeviceTaken for one that measures another policy then.
    """
    ended = []
    begins, _ = cover_span(policy)
    with database.role("link") as conn:
        for device in devices:
            key, is_ended = _device_key(conn, device)
            for other, _, over_at in store.fetch_assignments(conn, key, begins):
                if other != policy.policy_id and over_at > begins:
                    raise DeviceTaken(device, other)
            ended += [device] if is_ended else []
    return ended


def _device_key(conn: Conn, device_id: str) -> tuple[int, bool]:
    found = store.fetch_device_key(conn, device_id)
    if found is None:
        raise UnknownDevice(device_id)
    return found
