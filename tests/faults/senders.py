"""Devices that keep what is not acknowledged and send it again, and write down each acknowledgement: a process.

    python -m tests.faults.senders ASSIGNMENT.json

The assignment names ports, devices, pace and the ledger: one line `device first_ms count` for each acknowledged frame,
written after the acknowledgement has arrived and never before.
"""

import asyncio
import json
import random
import struct
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.ingest.teltonika_frames import Record, record_bytes

ACK_WITHIN_S = 15.0
STEP_MS = 1000


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC = _crc_table()


def packet(first_ms: int, count: int) -> bytes:
    """A packet of codec 8 with `count` records a second apart. The CRC by table: a fleet has no time for bits."""
    records = b"".join(
        record_bytes(Record(time_ms=first_ms + n * STEP_MS, latitude_e7=601_699_000 + n * 900), 0x08)
        for n in range(count)
    )
    content = bytes([0x08, count]) + records + bytes([count])
    crc = 0
    for byte in content:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return bytes(4) + struct.pack(">I", len(content)) + content + struct.pack(">I", crc)


def batch(first_ms: int, count: int) -> bytes:
    """The same as our own batch."""
    rows = [
        {"fix_time": (first_ms + n * STEP_MS) / 1000, "latitude_deg": 60.17 + n * 9e-5, "longitude_deg": 24.94}
        for n in range(count)
    ]
    return json.dumps({"readings": rows}).encode()


@dataclass(slots=True)
class Sender:
    """One device: the place in its memory that is acknowledged, and how it sends what follows."""

    device_id: str
    token: str
    host: str
    tcp_port: int | None  # None: it speaks HTTP
    http_port: int
    next_ms: int
    most: int
    pause_s: float
    ledger: TextIO
    rng: random.Random

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(self.host, self.tcp_port or self.http_port), ACK_WITHIN_S
                )
                try:
                    await (self._over_tcp(reader, writer) if self.tcp_port else self._over_http(reader, writer))
                finally:
                    writer.close()
            await asyncio.sleep(0.1 + self.rng.random() * 0.3)

    def _acknowledged(self, count: int) -> None:
        self.ledger.write(f"{self.device_id} {self.next_ms} {count}\n")
        self.ledger.flush()
        self.next_ms += count * STEP_MS

    async def _over_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x0f" + self.device_id.removeprefix("imei-").encode())
        async with asyncio.timeout(ACK_WITHIN_S):
            if await reader.readexactly(1) != b"\x01":
                return
        while True:
            count = self.rng.randint(1, self.most)
            writer.write(packet(self.next_ms, count))
            async with asyncio.timeout(ACK_WITHIN_S):
                if struct.unpack(">I", await reader.readexactly(4))[0] != count:
                    return
            self._acknowledged(count)
            await asyncio.sleep(self.pause_s)

    async def _over_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            count = self.rng.randint(1, self.most)
            body = batch(self.next_ms, count)
            head = (
                f"POST /v1/readings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.token}\r\n"
                f"Content-Type: application/json\r\nIdempotency-Key: {self.next_ms}-{count}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            async with asyncio.timeout(ACK_WITHIN_S):
                answer = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in answer.lower().split(b"\r\n") if line[:15] == b"content-length:"
                )
                await reader.readexactly(length)
            if answer[9:12] != b"200":
                return
            self._acknowledged(count)
            await asyncio.sleep(self.pause_s)


async def main(assignment: dict[str, object]) -> None:
    """All senders of an assignment, until the process ends."""
    devices = assignment.pop("devices")
    seed, path = assignment.pop("seed"), Path(str(assignment.pop("ledger")))
    assert isinstance(devices, list)
    start_ms = round(time.time()) * 1000 - 80 * 86_400_000  # 80 days: room for years of sending, and never the future
    with path.open("a") as ledger, suppress(asyncio.CancelledError):
        async with asyncio.TaskGroup() as group:
            for number, (device_id, token, over_http) in enumerate(devices):
                tcp_port = None if over_http else assignment["tcp_port"]
                sender = Sender(
                    device_id=device_id, token=token, next_ms=start_ms, ledger=ledger,
                    rng=random.Random(f"{seed}/{number}"), **(assignment | {"tcp_port": tcp_port}),
                )  # type: ignore[arg-type]  # fmt: skip
                group.create_task(sender.run())


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))
