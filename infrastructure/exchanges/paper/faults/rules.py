"""The language of faults: a list of rules, the same in a file and at `/control/faults`.

A rule says where it applies (`on`), how often (`times`, `every`, `probability` with its `seed`), to which orders
(`symbol`, `client_order_id`) and reports (`event`), and what goes wrong (`fault`, with its parameters).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

import msgspec

from infrastructure.exchanges.paper.assets import Asset, find_asset
from infrastructure.exchanges.paper.orders import Event

SECONDS_MAX: Final = 3_600

Seconds = Annotated[float, msgspec.Meta(ge=0, le=SECONDS_MAX)]


class On(StrEnum):
    """What a fault may befall: a request, the stream, or any of them."""

    SUBMIT = "submit"
    CANCEL = "cancel"
    REPLACE = "replace"
    FIND = "find"
    FILLS = "fills"
    ASSETS = "assets"
    PRICES = "prices"
    STREAM = "stream"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something happens that a fault may befall.

    Attributes:
        on: What it is; `any` where no other word fits, so that only rules for everything apply.
        assets: What it is about.
        client_order_id: The order it is about, None when it is about none.
        age_seconds: How long ago that order was submitted, None when the exchange has no such order.
        event: What a report says, None where there is no report.
    """

    on: On
    assets: frozenset[Asset] = frozenset()
    client_order_id: str | None = None
    age_seconds: float | None = None
    event: Event | None = None


class Rule(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="fault"
):
    """What all rules have in common.

    Attributes:
        on: Where it applies.
        times: It fires so many times and never again; None: for ever.
        every: It fires on each n-th occasion: with 2 on the second, the fourth, and so on.
        probability: It fires on this share of those occasions; the seed decides on which.
        seed: The same rules meet the same occasions in the same way, again and again.
        symbol: Only on occasions about this asset.
        client_order_id: Only on occasions about this order.
        event: Only on reports of this.
    """

    places: ClassVar[frozenset[On]] = frozenset(On)

    on: On
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    every: Annotated[int, msgspec.Meta(ge=1)] = 1
    probability: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1
    seed: int = 0
    symbol: str | None = None
    client_order_id: str | None = None
    event: Event | None = None

    def __post_init__(self) -> None:
        """Refuse what could never fire."""
        if self.event is not None and self.on is not On.STREAM:
            raise ValueError(f"event goes with stream, not with {self.on}")
        if self.on not in self.places:
            places = " or ".join(place for place in On if place in self.places)
            raise ValueError(f"{self.__struct_config__.tag} goes with {places}, not with {self.on}")
        if self.symbol is not None and find_asset(self.symbol) is None:
            raise ValueError(f"nothing called {self.symbol!r} trades here")

    def covers(self, occasion: Occasion) -> bool:
        """Whether this is an occasion for the rule."""
        return (
            self.on in {On.ANY, occasion.on}
            and (self.symbol is None or find_asset(self.symbol) in occasion.assets)
            and self.client_order_id in {None, occasion.client_order_id}
            and self.event in {None, occasion.event}
        )


class WaitingRule(Rule, frozen=True):
    """A rule that makes something wait, whatever else befalls it.

    Attributes:
        seconds: So long, or somewhere between the least and the most.
    """

    # The bounds are no annotations: msgspec 0.22 reads past its own memory when a bounded number may also be an array.
    seconds: float | tuple[float, float]

    def __post_init__(self) -> None:
        """Refuse what is no time to wait."""
        super().__post_init__()
        least, most = self.bounds
        if not 0 <= least <= most <= SECONDS_MAX:
            raise ValueError(f"seconds must be a number from 0 to {SECONDS_MAX}, or two of them, the smaller one first")

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the most seconds to wait."""
        return self.seconds if isinstance(self.seconds, tuple) else (self.seconds, self.seconds)


class Latency(WaitingRule, frozen=True, tag="latency"):
    """The request waits before anything is done with it."""


class AcceptThenTimeout(Rule, frozen=True, tag="accept_then_timeout"):
    """The request is met, but never answered; after so many seconds the connection is cut."""

    seconds: Seconds = 30.0


class DropBeforeAccept(Rule, frozen=True, tag="drop_before_accept"):
    """The connection is cut, and nothing is done."""


class Answer(Rule, frozen=True, tag="answer"):
    """The answer of a server in trouble, before or after the request was met.

    Attributes:
        retry_after: Seconds, in the header `Retry-After`; 429 always has one.
    """

    status: Literal[429, 500, 502, 503, 504]
    after_acting: bool = False
    retry_after: Annotated[int, msgspec.Meta(ge=0, le=SECONDS_MAX)] | None = None


class Refuse(Rule, frozen=True, tag="refuse"):
    """A refusal at once, and nothing is done."""

    status: Annotated[int, msgspec.Meta(ge=400, le=499)] = 422
    code: int = 42210000
    message: str = "refused by a fault rule"


class Reject(Rule, frozen=True, tag="reject"):
    """The order is acknowledged, and then rejected on the stream; the exchange never sees it."""

    places: ClassVar[frozenset[On]] = frozenset({On.SUBMIT})

    reason: str = "rejected by a fault rule"


class RefuseLater(Rule, frozen=True, tag="refuse_later"):
    """A cancel or a replacement is answered as if it were met, and then refused on the stream; the order works on.

    Attributes:
        reason: As the stream tells it.
    """

    places: ClassVar[frozenset[On]] = frozenset({On.CANCEL, On.REPLACE})

    reason: Annotated[str, msgspec.Meta(min_length=1)] = "TOO_LATE_TO_CANCEL"


class Ignore(Rule, frozen=True, tag="ignore"):
    """A cancel is answered as if it were met, and nothing is done."""

    places: ClassVar[frozenset[On]] = frozenset({On.CANCEL})


class KeepPredecessor(Rule, frozen=True, tag="keep_predecessor"):
    """The replacement is accepted and works, and the order it should replace works on as well."""

    places: ClassVar[frozenset[On]] = frozenset({On.REPLACE})


class UnknownFor(Rule, frozen=True, tag="unknown_for"):
    """A query for one order answers "not found" although the order is there.

    Attributes:
        seconds: For so long after the order was submitted; None: as long as the rule is there.
    """

    places: ClassVar[frozenset[On]] = frozenset({On.FIND})

    seconds: Seconds | None = None

    def covers(self, occasion: Occasion) -> bool:
        """Whether the order is there, and young enough."""
        age = occasion.age_seconds
        return age is not None and (self.seconds is None or age < self.seconds) and super().covers(occasion)


class Malformed(Rule, frozen=True, tag="malformed"):
    """The answer to a request that was met is half a JSON text, or a report on the stream is."""


class DelayReports(WaitingRule, frozen=True, tag="delay_reports"):
    """The report waits, and so do those behind it."""

    places: ClassVar[frozenset[On]] = frozenset({On.STREAM})


class DuplicateReports(Rule, frozen=True, tag="duplicate_reports"):
    """The report is sent twice."""

    places: ClassVar[frozenset[On]] = frozenset({On.STREAM})


class ReorderReports(Rule, frozen=True, tag="reorder_reports"):
    """The report changes places with the next one, or is sent after so many seconds when none follows."""

    places: ClassVar[frozenset[On]] = frozenset({On.STREAM})

    seconds: Seconds = 1.0


class DropReports(Rule, frozen=True, tag="drop_reports"):
    """The report is lost."""

    places: ClassVar[frozenset[On]] = frozenset({On.STREAM})


class CutStream(Rule, frozen=True, tag="cut_stream"):
    """The report is lost, and with it every connection to the stream."""

    places: ClassVar[frozenset[On]] = frozenset({On.STREAM})


Verdict = Reject | RefuseLater | Ignore | KeepPredecessor
"""What the exchange itself does, and not the way to it."""

RequestFault = AcceptThenTimeout | DropBeforeAccept | Answer | Refuse | Verdict | UnknownFor | Malformed
ReportFault = DuplicateReports | ReorderReports | DropReports | CutStream | Malformed
Fault = Latency | DelayReports | RequestFault | ReportFault
