"""Heartbeats: what each part of the engine last said of itself, for health."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE heartbeats (
    name text COLLATE "C" PRIMARY KEY,
    is_ok boolean NOT NULL,
    detail text NOT NULL,
    at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE heartbeats IS 'What each part of the engine last said of itself; one that is silent is not well.';
"""

DOWN = """
DROP TABLE heartbeats;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the table."""
    op.execute(DOWN)
