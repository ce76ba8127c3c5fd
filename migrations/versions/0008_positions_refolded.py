"""Positions forget what they were closed at: after a trade is taken back they are folded anew from the log."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The rows of positions are folded afresh from the log: the worker does that by itself from a checkpoint at 0.
_AFRESH = """
TRUNCATE positions;
UPDATE checkpoints SET position = 0, version = {version} WHERE name = 'positions';
"""

UP = f"""
ALTER TABLE positions DROP COLUMN closed_at;
{_AFRESH.format(version=3)}
"""

DOWN = f"""
ALTER TABLE positions ADD COLUMN closed_at numeric;
{_AFRESH.format(version=2)}
"""


def upgrade() -> None:
    """Drop the column."""
    op.execute(UP)


def downgrade() -> None:
    """Add the column."""
    op.execute(DOWN)
