"""The rollout of order execution: whether new orders are taken at all, and from which share of traders."""

from decimal import Decimal
from hashlib import sha256

from domain.commands import ChangeRollout
from domain.events import RolloutChanged
from domain.frozen import dataclass
from domain.refusals import InvalidRequest
from domain.values import TraderId

RAMP_PERCENT_MAX = 100


@dataclass(frozen=True, slots=True)
class Switches:
    """Whether new orders are taken, and from how many percent of all traders."""

    enabled: bool = True
    ramp_percent: int = RAMP_PERCENT_MAX

    def serve(self, trader_id: TraderId) -> bool:
        """Whether new orders of the trader are taken."""
        return self.enabled and is_in_ramp(trader_id, self.ramp_percent)


ALL_ON = Switches()


@dataclass(frozen=True, slots=True)
class Rollout:
    """What operators have set; None: nothing, so that it is as the environment says."""

    enabled: bool | None = None
    ramp_percent: int | None = None

    def within(self, environment: Switches) -> Switches:
        """What holds in a process with this environment, which gives the initial values, and whose 0 is the last word."""
        if self.enabled is None and self.ramp_percent is None:
            return environment
        enabled = environment.enabled and self.enabled is not False
        is_stopped = environment.ramp_percent == 0 or self.ramp_percent is None
        return Switches(enabled, environment.ramp_percent if is_stopped else self.ramp_percent or 0)


NOTHING_SET = Rollout()


def is_in_ramp(trader_id: TraderId, percent: int) -> bool:
    """Whether the trader is in this share of all traders: for ever, in every process, and in every larger share."""
    if percent == RAMP_PERCENT_MAX:
        return True  # nobody is left out, so nobody's place is worked out
    return int.from_bytes(sha256(trader_id.encode()).digest()[:8]) % RAMP_PERCENT_MAX < percent


def parse_ramp(value: object) -> int:
    """A share of traders in whole percent.

    Raises:
        InvalidRequest: it is none.
    """
    if isinstance(value, int | Decimal) and not isinstance(value, bool) and value in range(RAMP_PERCENT_MAX + 1):
        return int(value)
    raise InvalidRequest("ramp_percent", problem=f"must be a whole number from 0 to {RAMP_PERCENT_MAX}")


def decide(rollout: Rollout, command: ChangeRollout) -> list[RolloutChanged]:
    """The events that the command leads to: none where everything is set like that already.

    Raises:
        InvalidRequest: it names nothing to change.
    """
    if command.enabled is None and command.ramp_percent is None:
        raise InvalidRequest("ramp_percent", problem="or enabled is needed: say what to change")
    wanted = Rollout(
        rollout.enabled if command.enabled is None else command.enabled,
        rollout.ramp_percent if command.ramp_percent is None else command.ramp_percent,
    )
    if wanted == rollout:
        return []
    return [RolloutChanged(enabled=wanted.enabled, ramp_percent=wanted.ramp_percent, reason=command.reason)]


def evolve(_: Rollout, event: RolloutChanged) -> Rollout:
    """What is set after the event."""
    return Rollout(event.enabled, event.ramp_percent)
