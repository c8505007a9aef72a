"""What can go wrong with devices, their codes and their links to policies."""

from dataclasses import dataclass
from typing import ClassVar

from api.errors import ApiError


@dataclass(eq=False)
class UnfitDevice(ApiError):
    """A name that no device can have."""

    detail: str

    status: ClassVar[int] = 422
    title: ClassVar[str] = "No name for a device"
    advice: ClassVar[str] = "Use 1 to 64 of a-z, 0-9 and hyphen; after imei- the 15 digits of its label."

    def __str__(self) -> str:
        return f"{self.detail}."


@dataclass(eq=False)
class DeviceEnded(ApiError):
    """A device that was revoked, or erased with the person whom it measured: its id is not given to another."""

    device: str

    field: ClassVar[str] = "device"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "The device was ended"
    advice: ClassVar[str] = "Enrol it under another id."

    def __str__(self) -> str:
        return f"The device {self.device} was revoked or erased; its id is not used again."


@dataclass(eq=False)
class UnfitCode(ApiError):
    """A device's code that opens nothing."""

    detail: str
    field: str = "code"

    status: ClassVar[int] = 422
    title: ClassVar[str] = "No such code"
    advice: ClassVar[str] = "Take the code as it was given to you with the device, or ask for another."

    def __str__(self) -> str:
        return f"{self.detail[:1].upper()}{self.detail[1:]}."


@dataclass(eq=False)
class CodesWait(ApiError):
    """Too many wrong codes by one account."""

    wait_s: int

    status: ClassVar[int] = 429
    title: ClassVar[str] = "Too many wrong codes"
    advice: ClassVar[str] = "Wait, then try again."

    def __str__(self) -> str:
        return f"Too many wrong codes came from you; try again in {self.wait_s} seconds."


@dataclass(eq=False)
class DeviceInUse(ApiError):
    """A device that measures another policy, whoever's that is."""

    device: str

    status: ClassVar[int] = 409
    title: ClassVar[str] = "The device is in use"
    advice: ClassVar[str] = "Ask us to end that first."

    def __str__(self) -> str:
        return f"The device {self.device} measures another policy."


@dataclass(eq=False)
class CoverOver(ApiError):
    """A policy that is over, to which nothing can be linked."""

    policy: str

    status: ClassVar[int] = 409
    field: ClassVar[str] = "policy"
    title: ClassVar[str] = "The policy is over"
    advice: ClassVar[str] = "Renew it first."

    def __str__(self) -> str:
        return f"Policy {self.policy} covers nothing any more."
