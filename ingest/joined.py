"""The records of many uploads as one columnar batch that remembers whose each of them is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ingest.decoded import Decoded, Rejected
from ingest.moments import microseconds
from ingest.readings import TIER_FLAGS, Int64s, Readings, concatenate
from ingest.store import Upload
from ingest.validate import refuse_expired, validate


@dataclass(frozen=True, slots=True)
class Joined:
    """m uploads with their n readings and their refused records.

    `upload`, shape (n,), is the place of each reading's upload in `uploads`; `rejected` has what was refused of each.
    `records` holds the readings; its `record_index` counts through all uploads as they came, where `came_from` has the
    upload's place and the record's index in its frame.
    """

    uploads: Sequence[Upload]
    records: Decoded
    upload: Int64s
    rejected: Sequence[tuple[Rejected, ...]]
    came_from: tuple[Int64s, Int64s]

    @property
    def readings(self) -> Readings:
        """The readings of all uploads, one upload after the other."""
        return self.records.readings

    def validated(self) -> "Joined":
        """What may be stored; each upload by the clock of its receipt."""
        received_us = np.array([microseconds(upload.received_at) for upload in self.uploads], dtype=np.int64)
        return self._with(validate(self.records, received_us[self.upload]))

    def since(self, floor: datetime | None) -> "Joined":
        """What is not from before `floor`, a time up to which readings have been deleted for good."""
        times_us = self.readings.fix_time_us
        if floor is None or not len(times_us) or times_us.min() >= microseconds(floor):
            return self
        return self._with(refuse_expired(self.records, floor))

    def only(self, places: Sequence[int]) -> "Joined":
        """The uploads at these places, rising, alone."""
        number = np.full(len(self.uploads), -1, dtype=np.int64)
        number[list(places)] = np.arange(len(places))
        rows = number[self.upload] >= 0
        return Joined(
            [self.uploads[place] for place in places],
            self.records.take(rows),
            number[self.upload[rows]],
            [self.rejected[place] for place in places],
            (number[self.came_from[0]], self.came_from[1]),
        )

    def spans(self) -> tuple[Int64s, Int64s, Int64s]:
        """Of each upload, shapes (m,): how many readings it has, their first and last fix time in microseconds."""
        counts = np.bincount(self.upload, minlength=len(self.uploads))
        first_us = np.full(len(self.uploads), np.iinfo(np.int64).max)
        last_us = np.full(len(self.uploads), np.iinfo(np.int64).min)
        np.minimum.at(first_us, self.upload, self.readings.fix_time_us)
        np.maximum.at(last_us, self.upload, self.readings.fix_time_us)
        return counts, first_us, last_us

    def _with(self, records: Decoded) -> "Joined":
        """The same uploads after a check that refused some records."""
        of_record, index = self.came_from
        rejected = list(self.rejected)
        for one in records.rejected:
            assert one.record_index is not None
            place = int(of_record[one.record_index])
            rejected[place] += (replace(one, record_index=int(index[one.record_index])),)
        plain = records.take(slice(None)) if records.rejected else records
        upload = of_record[plain.record_index]
        return Joined(self.uploads, plain, upload, rejected, self.came_from)


def join(uploads: Sequence[Upload], decoded: Sequence[Decoded]) -> Joined:
    """Uploads with what was decoded of each, validated before or not; device and trust tier are the upload's."""
    upload = np.repeat(np.arange(len(uploads)), [len(one.readings) for one in decoded])
    index = np.concatenate([one.record_index for one in decoded])
    keys = np.array([one.device_key for one in uploads], dtype=np.int64)
    unproved = np.array([TIER_FLAGS[one.tier] for one in uploads], dtype=np.int32)
    readings = concatenate([one.readings for one in decoded])
    readings = readings.replace(device_key=keys[upload], flags=readings.flags | unproved[upload])

    def raw_of(row: int) -> bytes:
        return decoded[int(upload[row])].raw_of(int(index[row]))

    records = Decoded(readings, len(readings), (), np.arange(len(readings)), raw_of)
    rejected = [one.rejected for one in decoded]
    return Joined(uploads, records, upload, rejected, (upload, index))
