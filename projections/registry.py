"""Every read model there is."""

from typing import Any

from projections.accounts import ACCOUNTS
from projections.execution_log import EXECUTION_LOG
from projections.fills import FILLS
from projections.orders import ORDERS
from projections.positions import POSITIONS
from projections.projection import Projection

PROJECTIONS: tuple[Projection[Any], ...] = (ORDERS, FILLS, ACCOUNTS, POSITIONS, EXECUTION_LOG)
