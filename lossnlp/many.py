"""Many deals: read some at a time, so that their windows share batches, while the ones before are decided.

Only so much is taken ahead as fills two shares, whatever the length of the input.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from lossnlp.deal import Deal
from lossnlp.encoder import Encoder, Readings
from lossnlp.errors import InvalidDealError
from lossnlp.reading import DealReading, read_text, view_all
from lossnlp.segments import ReadDeal

SHARE_CHARS = 32_768
SHARE_DEALS = 256
# What is read at once by a service, and a small file, is not worth loading the weights a second time.
BACKFILL_DEALS = 64


@dataclass
class _Share:
    """Deals that are read together, and the fault of the one that ends them."""

    deals: list[Deal] = field(default_factory=list)
    reads: list[ReadDeal] = field(default_factory=list)
    chars: int = 0
    fault: InvalidDealError | None = None

    @property
    def is_full(self) -> bool:
        return self.chars >= SHARE_CHARS or len(self.deals) >= SHARE_DEALS

    def take(self, deal: Deal) -> None:
        read = read_text(deal)
        self.deals.append(deal)
        self.reads.append(read)
        self.chars += sum(len(segment.text) for segment in read.segments)


def read_many(encoder: Encoder, deals: Iterable[Deal]) -> Iterator[tuple[Deal, DealReading]]:
    """Gives each deal with its reading, in order; each reading is the same as `reading.read_views` gives.

    Raises:
        InvalidDealError: Nothing readable stands in a deal's documents; those before it have been given.
    """
    waiting: deque[tuple[_Share, Future[list[Readings]]]] = deque()
    taken = 0
    beside = ThreadPoolExecutor(1, thread_name_prefix="read-many")
    try:
        for share in _shares(deals):
            taken += len(share.deals)
            segments = [read.segments for read in share.reads]
            waiting.append((share, beside.submit(encoder.read_many, segments, is_backfill=taken >= BACKFILL_DEALS)))
            if len(waiting) > 1:
                yield from _settled(encoder, *waiting.popleft())
        while waiting:
            yield from _settled(encoder, *waiting.popleft())
    finally:
        beside.shutdown(cancel_futures=True)


def _shares(deals: Iterable[Deal]) -> Iterator[_Share]:
    """Gives the deals in shares; the last one is the one in which a deal cannot be read."""
    share = _Share()
    for deal in deals:
        try:
            share.take(deal)
        except InvalidDealError as fault:
            share.fault = fault
            break
        if share.is_full:
            yield share
            share = _Share()
    if share.deals or share.fault:
        yield share


def _settled(encoder: Encoder, share: _Share, found: Future[list[Readings]]) -> Iterator[tuple[Deal, DealReading]]:
    for deal, read, readings in zip(share.deals, share.reads, found.result(), strict=True):
        yield deal, view_all(encoder, read, readings)
    if share.fault:
        raise share.fault
