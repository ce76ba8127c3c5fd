"""Exits name the order they protect; positions know what they were closed at, for trades that are taken back."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The rows of positions are folded afresh from the log: the worker does that by itself from a checkpoint at 0.
_AFRESH = """
TRUNCATE positions;
UPDATE checkpoints SET position = 0, version = {version} WHERE name = 'positions';
"""

# Only a database that was here before and taken back has orders of version 2, which may be exits.
_EXITS = """
UPDATE orders SET parent_order_id = placed.data ->> 'parent_order_id', oco_order_id = placed.data ->> 'oco_order_id'
FROM (
    SELECT data::jsonb AS data FROM events WHERE type = 'OrderPlaced' AND starts_with(data, '{"class_version"')
) AS placed
WHERE orders.id = placed.data ->> 'order_id';
"""

UP = f"""
ALTER TABLE orders ADD COLUMN parent_order_id text COLLATE "C";
ALTER TABLE orders ADD COLUMN oco_order_id text COLLATE "C";
ALTER TABLE positions ADD COLUMN closed_at numeric;
{_EXITS}
{_AFRESH.format(version=2)}
"""

DOWN = f"""
ALTER TABLE positions DROP COLUMN closed_at;
ALTER TABLE orders DROP COLUMN oco_order_id;
ALTER TABLE orders DROP COLUMN parent_order_id;
{_AFRESH.format(version=1)}
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the columns."""
    op.execute(DOWN)
