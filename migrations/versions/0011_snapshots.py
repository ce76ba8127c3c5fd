"""Snapshots of streams, the index that says which streams are long, and what was archived."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE snapshots (
    stream_id text COLLATE "C" NOT NULL,
    shape text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (stream_id, shape)
);
COMMENT ON TABLE snapshots IS 'States of streams as they were after some version: derived, and used only by programs whose states have the same shape.';

CREATE TABLE archives (
    first_position bigint NOT NULL,
    last_position bigint PRIMARY KEY,
    previous_hash bytea NOT NULL,
    last_hash bytea NOT NULL,
    sha256 bytea NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE archives IS 'Partitions of the log that were taken out into files; sha256 is that of the file.';

-- One event in 200 of a stream, and nothing of a stream that is shorter: small, and next to free for an append.
CREATE INDEX events_milestones ON events (stream_id, version) WHERE version % 200 = 0;
"""

DOWN = """
DROP INDEX events_milestones;
DROP TABLE archives;
DROP TABLE snapshots;
"""


def upgrade() -> None:
    """Create them."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them."""
    op.execute(DOWN)
