"""Instruments say what orders in them must fit: ticks, lots and sizes; null where anything does."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE instruments ADD COLUMN tick_size numeric;
ALTER TABLE instruments ADD COLUMN tick_size_below_dollar numeric;
ALTER TABLE instruments ADD COLUMN lot_size numeric;
ALTER TABLE instruments ADD COLUMN min_quantity numeric;
ALTER TABLE instruments ADD COLUMN max_quantity numeric;
ALTER TABLE instruments ADD COLUMN fractional_day_only boolean NOT NULL DEFAULT false;
"""

DOWN = """
ALTER TABLE instruments DROP COLUMN fractional_day_only;
ALTER TABLE instruments DROP COLUMN max_quantity;
ALTER TABLE instruments DROP COLUMN min_quantity;
ALTER TABLE instruments DROP COLUMN lot_size;
ALTER TABLE instruments DROP COLUMN tick_size_below_dollar;
ALTER TABLE instruments DROP COLUMN tick_size;
"""


def upgrade() -> None:
    """Add the columns; the worker fills them when it asks the venue next."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the columns."""
    op.execute(DOWN)
