"""What the venue trades: written by the worker, known to every process."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC

import psycopg
from psycopg.rows import TupleRow

from application.venue import Instrument
from domain.instruments import SymbolRules
from domain.values import Symbol
from infrastructure.postgres.patience import LONG_SECONDS, Pool
from infrastructure.postgres.refreshing import Refreshed
from infrastructure.postgres.rows import array

log = logging.getLogger(__name__)

_REFRESH_SECONDS = 1.0
_FIRST_SECONDS = 0.1

# Writers take turns, so that refreshed_at never falls from one commit to the next.
_LOCK = "LOCK TABLE instruments IN SHARE ROW EXCLUSIVE MODE"

_DELETE = "DELETE FROM instruments WHERE symbol <> ALL (%s::text[])"

# Rows that say the same again are left alone, so that refreshed_at is when something last changed.
_SAVE = """
INSERT INTO instruments AS known (symbol, name, tradable, fractionable, reference_price, price_at,
    tick_size, tick_size_below_dollar, lot_size, min_quantity, max_quantity, fractional_day_only, refreshed_at)
SELECT *, clock_timestamp() FROM unnest(
    %s::text[], %s::text[], %s::boolean[], %s::boolean[], %s::numeric[], %s::timestamptz[],
    %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::boolean[])
ON CONFLICT (symbol) DO UPDATE SET
    name = excluded.name, tradable = excluded.tradable, fractionable = excluded.fractionable,
    reference_price = excluded.reference_price, price_at = excluded.price_at,
    tick_size = excluded.tick_size, tick_size_below_dollar = excluded.tick_size_below_dollar,
    lot_size = excluded.lot_size, min_quantity = excluded.min_quantity, max_quantity = excluded.max_quantity,
    fractional_day_only = excluded.fractional_day_only, refreshed_at = excluded.refreshed_at
WHERE (known.name, known.tradable, known.fractionable, known.reference_price, known.price_at, known.tick_size,
        known.tick_size_below_dollar, known.lot_size, known.min_quantity, known.max_quantity, known.fractional_day_only)
    IS DISTINCT FROM (excluded.name, excluded.tradable, excluded.fractionable, excluded.reference_price,
        excluded.price_at, excluded.tick_size, excluded.tick_size_below_dollar, excluded.lot_size,
        excluded.min_quantity, excluded.max_quantity, excluded.fractional_day_only)
"""

_STATE = "SELECT count(*), max(refreshed_at) FROM instruments"

_ALL = """
SELECT symbol, name, tradable, fractionable, reference_price, price_at,
    tick_size, tick_size_below_dollar, lot_size, min_quantity, max_quantity, fractional_day_only
FROM instruments ORDER BY symbol
"""


async def save_instruments(pool: Pool, instruments: Sequence[Instrument]) -> None:
    """Make these all the instruments there are. None at all is no answer that a venue gives, and changes nothing.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
    """
    if not instruments:
        return
    symbols = array([each.symbol for each in instruments], "text")
    columns = [
        symbols,
        array([each.name for each in instruments], "text"),
        array([each.tradable for each in instruments], "boolean"),
        array([each.fractionable for each in instruments], "boolean"),
        array([each.reference_price for each in instruments], "numeric"),
        array([each.price_at for each in instruments], "timestamptz"),
        array([each.rules.tick_size for each in instruments], "numeric"),
        array([each.rules.tick_size_below_dollar for each in instruments], "numeric"),
        array([each.rules.lot_size for each in instruments], "numeric"),
        array([each.rules.min_quantity for each in instruments], "numeric"),
        array([each.rules.max_quantity for each in instruments], "numeric"),
        array([each.rules.fractional_day_only for each in instruments], "boolean"),
    ]
    async with (
        pool.connection(answer_seconds=LONG_SECONDS) as connection,
        connection.pipeline(),
        connection.transaction(),
    ):
        await connection.execute(_LOCK)
        await connection.execute(_DELETE, [symbols])
        await connection.execute(_SAVE, columns)


class CachedInstruments(Refreshed):
    """The instruments as last saved, at most about a second old while the database is there, then as last known.

    Use as an async context manager; that reads them a first time.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__("instruments")
        self._pool = pool
        self._instruments: Mapping[Symbol, Instrument] = {}
        self._state: object = None
        self._is_old = False

    @property
    def ready(self) -> bool:
        """Whether any instrument is known."""
        return bool(self._instruments)

    def get(self, symbol: Symbol) -> Instrument | None:
        """The instrument, or None when the venue does not trade it."""
        return self._instruments.get(symbol)

    def all(self) -> Sequence[Instrument]:
        """Every instrument, by symbol."""
        return list(self._instruments.values())

    def _pause_seconds(self) -> float:
        # Nothing can be traded before the first are known, so those are not kept waiting for.
        return _REFRESH_SECONDS if self.ready else _FIRST_SECONDS

    async def _refresh(self) -> None:
        try:
            async with self._pool.connection() as connection:
                state = await (await connection.execute(_STATE)).fetchone()
                self._is_old = False
                if state == self._state:
                    return
                found = await (await connection.cursor(binary=True).execute(_ALL)).fetchall()
        except psycopg.Error as error:
            if not self._is_old:
                log.warning("instruments cannot be read, going on with those of before: %s", error)
            self._is_old = True
            return
        instruments = map(_instrument, found)
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._state = state


def _instrument(row: TupleRow) -> Instrument:
    symbol, name, tradable, fractionable, reference_price, price_at, tick, below_dollar, lot, least, most, day_only = (
        row
    )
    return Instrument(
        symbol=symbol,
        name=name,
        tradable=tradable,
        fractionable=fractionable,
        reference_price=reference_price,
        price_at=price_at and price_at.astimezone(UTC),
        rules=SymbolRules(
            tick_size=tick,
            tick_size_below_dollar=below_dollar,
            lot_size=lot,
            min_quantity=least,
            max_quantity=most,
            fractional_day_only=day_only,
        ),
    )
