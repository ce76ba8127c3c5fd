"""How far the executions of each venue have been read, for the next look at its books."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE executions_read (
    venue text COLLATE "C" PRIMARY KEY,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE executions_read IS 'All executions of the venue up to this time of its own are in the log.';
"""

DOWN = """
DROP TABLE executions_read;
"""


def upgrade() -> None:
    """Create the table."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the table."""
    op.execute(DOWN)
