"""How long the loss review of a month with 50,000 lost deals takes; prints seconds and the size of the page.

Run: nice -n 19 python -m benchmarks.loss_review_time [DEALS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import select, update

from lossnlp.taxonomy import get_default_taxonomy
from serving.reports.pack import Asked, render_pack
from serving.reports.pack_files import PackMaker
from serving.reports.pack_month import Month
from serving.schema import migrate
from serving.store import Database
from serving.tables import LossRow
from tests.serving.reports.loss_world import add_losses
from tests.serving.reports.pack_world import read_all

_MONTH = Month(date(2026, 9, 1))
_DEALS, _CHUNK = 50_000, 5_000


def main() -> None:
    """Fills a database, then makes the review of the month."""
    deals = int(sys.argv[1]) if len(sys.argv) > 1 else _DEALS
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/lossnlp.sqlite3"
        migrate(url)
        database = Database(url)
        _fill(database, deals)
        maker = PackMaker(database, get_default_taxonomy())
        started = time.perf_counter()
        page = render_pack(maker.make(Asked(_MONTH, None, date(2026, 10, 3))))
        took_s = time.perf_counter() - started
        database.close()
    print(f"{deals:,} deals in the month: {took_s:.1f} s, page of {len(page) / 1000:.0f} kB")


def _fill(database: Database, deals: int) -> None:
    with database.writing() as session:
        for seed in range(0, deals, _CHUNK):
            add_losses(session, min(_CHUNK, deals - seed), seed=seed)
        ids = list(session.scalars(select(LossRow.deal_id)))
        for day in range(30):  # all of them in the one month, and as many again are not needed before it
            some = ids[day::30]
            for low in range(0, len(some), 500):
                change = update(LossRow).where(LossRow.deal_id.in_(some[low : low + 500]))
                session.execute(change.values(lost_on=_MONTH.first + timedelta(days=day)))
        session.expire_all()
        read_all(session)
        session.commit()


if __name__ == "__main__":
    main()
