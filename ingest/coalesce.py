"""The coalescer: what arrives within some milliseconds, from all devices and channels, goes into one transaction.

Gateways hand over decoded uploads and are told each one's outcome after the commit. Nobody's upload is failed by a
neighbour's: where a transaction fails its uploads are tried in halves, down to the one that is the cause, which is kept
whole in quarantine. What may wait is bounded, altogether and for each device; devices take turns.
"""

import asyncio
import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Self

from psycopg import errors as postgres

from ingest.accept import Offer, Outcome, Receipt, accept_together
from ingest.decoded import refused_frame
from ingest.errors import Overloaded
from ingest.metrics import acknowledge_after
from ingest.rejection import Rejection
from storage.errors import StorageUnavailable
from storage.pool import Database

_LOG = logging.getLogger(__name__)
LINGER_S = 0.010
COMMITTERS = 2  # while the database works on one transaction the next is put together
MAX_BATCH_RECORDS = 20_000
MAX_BATCH_UPLOADS = 2_000
MAX_WAITING_RECORDS = 250_000
MAX_WAITING_BYTES = 64 * 1024 * 1024
MAX_WAITING_OF_ONE = 64  # uploads of one device
_BUSY_PAUSE_S = 0.02  # until an upload is tried again whose device somebody else stores for
_BUSY_LIMIT_S = 20.0
_FAILING_S = 10.0  # without traffic nobody would ever learn that it is over
_PASSING = (
    postgres.SerializationFailure,
    postgres.DeadlockDetected,
    postgres.QueryCanceled,
    postgres.LockNotAvailable,
)

type Answer = Receipt | Exception  # an exception: nothing was stored, and this is why


@dataclass(slots=True)
class _Waiting:
    offer: Offer
    answer: Callable[[Answer], None]
    loop: asyncio.AbstractEventLoop | None  # where `answer` is called; None: in the committer's thread
    came: float
    due: float
    records: int


class Coalescer:
    """Enter it once a process, before the gateways that share it; leaving it stores what still waits.

    `acknowledge_before_commit` is for the negative control of the fault tests alone: it answers before anything is
    stored, as no gateway may, so that a test of that promise can be seen to fail.
    """

    def __init__(
        self, database: Database, *, linger_s: float = LINGER_S, acknowledge_before_commit: bool = False
    ) -> None:
        self._database = database
        self._linger_s = linger_s
        self._lies = acknowledge_before_commit
        self._newest: dict[int, int] = {}
        self._queues: OrderedDict[int, deque[_Waiting]] = OrderedDict()  # by device, in the order of their turns
        self._records = self._bytes = 0
        self._failed_at: float | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._run, name=f"committer {n}") for n in range(COMMITTERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    @property
    def waiting_records(self) -> int:
        """How many records wait to be stored."""
        return self._records

    @property
    def is_failing(self) -> bool:
        """Whether the last transaction of uploads could not be stored, and that is no longer ago than some seconds.

        A full disk shows here first: a small write may still find room in what the database has already taken.
        """
        failed_at = self._failed_at
        return failed_at is not None and monotonic() - failed_at < _FAILING_S

    async def accept(self, offer: Offer) -> Receipt:
        """The upload's receipt, once it is durable.

        Raises `IdempotencyConflict`, `DeviceRevoked`, `Overloaded`, `StorageUnavailable`; then nothing is stored.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self.submit(offer, partial(_settle, future), loop)
        return await future

    def accept_waiting(self, offer: Offer) -> Receipt:
        """The same for a thread that may wait."""
        future: Future[Receipt] = Future()
        self.submit(offer, partial(_settle, future), None)
        return future.result()

    def submit(self, offer: Offer, answer: Callable[[Answer], None], loop: asyncio.AbstractEventLoop | None) -> None:
        """`answer` is called with the outcome, in the loop where there is one. Raises `Overloaded`."""
        now = monotonic()
        records = max(1, offer.decoded.received)
        one = _Waiting(offer, answer, loop, now, now + self._linger_s, records)
        with self._changed:
            self._check_room(one)
            if self._lies:
                _tell([(replace(one), Receipt(len(offer.decoded.readings), 0, len(offer.decoded.rejected), ()))])
                one.answer = _ignore
            self._put(one)
            self._changed.notify()

    def _check_room(self, one: _Waiting) -> None:
        if self._closing:
            raise StorageUnavailable("the gateway is ending")
        if len(self._queues.get(one.offer.upload.device_key, ())) >= MAX_WAITING_OF_ONE:
            raise Overloaded("uploads of this device", MAX_WAITING_OF_ONE)
        if self._records + one.records > MAX_WAITING_RECORDS:
            raise Overloaded("records", MAX_WAITING_RECORDS)
        if self._bytes + len(one.offer.frame) > MAX_WAITING_BYTES:
            raise Overloaded("bytes", MAX_WAITING_BYTES)

    def _put(self, one: _Waiting) -> None:
        self._records += one.records
        self._bytes += len(one.offer.frame)
        self._queues.setdefault(one.offer.upload.device_key, deque()).append(one)

    def _run(self) -> None:
        """One committer: takes what waits, stores it, tells the senders."""
        while batch := self._next_batch():
            answers = self._store([one.offer for one in batch])
            told = []
            for one, answer in zip(batch, answers, strict=True):
                if answer is not None:
                    told.append((one, answer))
                    if isinstance(answer, Receipt):
                        acknowledge_after(one.offer.upload.channel, one.came)
                elif monotonic() - one.came > _BUSY_LIMIT_S:
                    told.append((one, StorageUnavailable("another upload of the device does not end")))
                else:
                    self._put_back(one)
            _tell(told)

    def _next_batch(self) -> list[_Waiting]:
        """The uploads of the next transaction, a turn a device; empty at the end."""
        with self._changed:
            while not self._is_due():
                if self._closing and not self._queues:
                    self._changed.notify_all()
                    return []
                first = next(iter(self._queues.values()), None)
                self._changed.wait(max(0.0005, first[0].due - monotonic()) if first else None)
            taken: list[_Waiting] = []
            size = 0
            while self._queues and size < MAX_BATCH_RECORDS and len(taken) < MAX_BATCH_UPLOADS:
                device_key, queue = self._queues.popitem(last=False)
                taken.append(queue.popleft())
                size += taken[-1].records
                if queue:
                    self._queues[device_key] = queue
            self._records -= size
            self._bytes -= sum(len(one.offer.frame) for one in taken)
            return taken

    def _is_due(self) -> bool:
        first = next(iter(self._queues.values()), None)
        return first is not None and (
            self._closing or self._records >= MAX_BATCH_RECORDS or first[0].due <= monotonic()
        )

    def _put_back(self, one: _Waiting) -> None:
        one.due = monotonic() + _BUSY_PAUSE_S
        with self._changed:
            self._put(one)
            self._changed.notify()

    def _store(self, offers: Sequence[Offer]) -> Sequence[Outcome | Exception | None]:
        """Each upload's answer; None: not this time."""
        try:
            outcomes = accept_together(self._database, offers, self._newest)
        except StorageUnavailable as err:
            self._failed_at = monotonic()
            return [err] * len(offers)
        except Exception as err:  # noqa: BLE001 - whatever one upload provokes must not fail the others
            if len(offers) == 1:
                return [self._keep_poison(offers[0], err)]
            middle = len(offers) // 2
            return [*self._store(offers[:middle]), *self._store(offers[middle:])]
        else:
            self._failed_at = None
            return outcomes

    def _keep_poison(self, offer: Offer, cause: Exception) -> Outcome | Exception | None:
        """What no repetition would mend is kept whole, so that it blocks no device; of passing trouble it is told."""
        if isinstance(cause, _PASSING):
            return StorageUnavailable(type(cause).__name__)
        detail = f"it could not be stored: {type(cause).__name__}"
        _LOG.error("device %d: an upload is quarantined as internal: %s", offer.upload.device_key, detail)
        kept = replace(offer, decoded=refused_frame(offer.frame, Rejection.INTERNAL, detail))
        try:
            return accept_together(self._database, [kept], self._newest)[0]
        except Exception:  # noqa: BLE001 - the first cause is what is told
            return cause


def _tell(answers: Sequence[tuple[_Waiting, Answer]]) -> None:
    """Everybody hears; those who wait in one event loop by one call into it."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[tuple[_Waiting, Answer]]] = {}
    for one, answer in answers:
        by_loop.setdefault(one.loop, []).append((one, answer))
    for loop, told in by_loop.items():
        if loop is None:
            _call(told)
        else:
            try:
                loop.call_soon_threadsafe(_call, told)
            except RuntimeError:  # the gateway has ended: its devices were not told, and send again
                _LOG.debug("a gateway ended before %d answers", len(told))


def _call(told: Sequence[tuple[_Waiting, Answer]]) -> None:
    for one, answer in told:
        one.answer(answer)


def _settle(future: "asyncio.Future[Receipt] | Future[Receipt]", answer: Answer) -> None:
    if future.done():  # whoever asked has gone
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _ignore(_: Answer) -> None:
    """The answer was given already."""
