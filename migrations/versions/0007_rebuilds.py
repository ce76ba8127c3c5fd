"""Rebuilds: where read tables are built beside the live ones, where those go that were replaced, and what stops one."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
CREATE SCHEMA building;
COMMENT ON SCHEMA building IS 'Read tables while they are built, under the names that they will have.';
CREATE SCHEMA previous;
COMMENT ON SCHEMA previous IS 'Read tables that were replaced by rebuilt ones, until somebody drops them.';

CREATE TABLE building.progress (
    name text COLLATE "C" NOT NULL,
    shard integer NOT NULL,
    shards integer NOT NULL,
    version integer NOT NULL,
    position bigint NOT NULL,
    is_prepared boolean NOT NULL,
    began_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, shard)
) WITH (fillfactor = 50);
COMMENT ON TABLE building.progress IS 'How far each shard of a table that is being built has read the log; written with its rows.';
COMMENT ON COLUMN building.progress.is_prepared IS 'A migration made the table, in a shape that the live one does not have.';

ALTER TABLE checkpoints ADD COLUMN rate double precision NOT NULL DEFAULT 0;
COMMENT ON COLUMN checkpoints.rate IS 'Events a second when it was last updated: a mean in which what is ten seconds older counts a third.';

CREATE TABLE projection_stops (
    name text COLLATE "C" PRIMARY KEY,
    position bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    since timestamptz NOT NULL,
    tried_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE projection_stops IS 'The last event that each projection could not apply; it stands there while its checkpoint is right before it.';
"""

DOWN = """
DROP TABLE projection_stops;
ALTER TABLE checkpoints DROP COLUMN rate;
DROP SCHEMA previous CASCADE;
DROP SCHEMA building CASCADE;
"""


def upgrade() -> None:
    """Create the schemas and tables, empty."""
    op.execute(UP)


def downgrade() -> None:
    """Drop them, with what is being built and what was replaced: nothing of it is live."""
    op.execute(DOWN)
