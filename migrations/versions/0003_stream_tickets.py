"""The tickets that open a stream once, for clients that cannot send a header."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Unlogged: a ticket lives for a minute and costs no wait for the disk. A crash of the server takes back those that
# are out, and their clients ask for another.
UP = """
CREATE UNLOGGED TABLE stream_tickets (
    digest bytea PRIMARY KEY,
    trader_id text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE stream_tickets IS 'Tickets that nobody has used yet, by their SHA-256.';
CREATE INDEX stream_tickets_expiry ON stream_tickets (expires_at);
"""

DOWN = """
DROP TABLE stream_tickets;
"""


def upgrade() -> None:
    """Create the table, empty."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the table: whoever holds a ticket asks for another."""
    op.execute(DOWN)
