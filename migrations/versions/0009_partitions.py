"""The log in partitions by position, so that what is old can be taken away whole."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# The constraint saves ATTACH from looking at every row under its lock. It is proven beforehand, while others write.
BOUND = """
DO $$
DECLARE
    bound bigint := (SELECT ((position + 1000000) / 10000000 + 1) * 10000000 FROM log_head);
BEGIN
    ALTER TABLE events DROP CONSTRAINT IF EXISTS events_bound;
    EXECUTE format('ALTER TABLE events ADD CONSTRAINT events_bound CHECK (position >= 1 AND position <= %s) NOT VALID', bound);
END $$;
"""

PROVE_BOUND = "ALTER TABLE events VALIDATE CONSTRAINT events_bound"

VIEW = """
CREATE VIEW event_log AS
SELECT position, stream_id, version, type, data::jsonb AS data, metadata::jsonb AS metadata, recorded_at, encode(hash, 'hex') AS hash
FROM events;
"""

COMMENT = "COMMENT ON TABLE events IS 'The execution log. data and metadata are JSON as text, because the hash chain covers their exact bytes.'"

PARTITION = """
DO $$
DECLARE
    bound text := (
        SELECT (regexp_match(pg_get_constraintdef(oid), '<= (\\d+)'))[1]
        FROM pg_constraint WHERE conname = 'events_bound' AND conrelid = 'events'::regclass
    );
BEGIN
    DROP VIEW event_log;
    ALTER TABLE events RENAME TO events_from_1;
    ALTER TABLE events_from_1 RENAME CONSTRAINT events_pkey TO events_from_1_pkey;
    ALTER TABLE events_from_1 RENAME CONSTRAINT events_stream_id_version_key TO events_from_1_stream_id_version_key;
    ALTER INDEX events_trader RENAME TO events_from_1_expr_position_idx;
    COMMENT ON TABLE events_from_1 IS NULL;
    CREATE TABLE events (LIKE events_from_1, PRIMARY KEY (position)) PARTITION BY RANGE (position);
    CREATE INDEX events_trader ON events (((metadata::jsonb) ->> 'trader_id'), position);
    EXECUTE format('ALTER TABLE events ATTACH PARTITION events_from_1 FOR VALUES FROM (1) TO (%s)', bound::bigint + 1);
    ALTER TABLE events_from_1 DROP CONSTRAINT events_bound;
END $$;
"""

PARTITIONS = """
CREATE VIEW event_partitions AS
SELECT relname AS name, bounds[1]::bigint AS first_position, bounds[2]::bigint - 1 AS last_position
FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(relpartbound, inhrelid), '\\(''(\\d+)''\\) TO \\(''(\\d+)''\\)') AS bounds
WHERE inhparent = 'events'::regclass;
COMMENT ON VIEW event_partitions IS 'The partitions of the log, and the positions that each is for.';
"""

# ATTACH locks out neither readers nor writers of the log; CREATE TABLE ... PARTITION OF would. Whoever may append may
# call this, without a right to change the schema otherwise. A version of a stream is unique in each partition: a unique
# constraint over all of them cannot be had without the position in it.
EXTEND = """
CREATE FUNCTION extend_events(until bigint, size bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    first bigint;
    partition text;
BEGIN
    LOOP
        SELECT max(last_position) + 1 INTO first FROM event_partitions;
        EXIT WHEN first > until;
        LOCK TABLE events IN SHARE UPDATE EXCLUSIVE MODE;
        -- Whoever had to wait for the lock looks again.
        CONTINUE WHEN first <= (SELECT max(last_position) FROM event_partitions);
        partition := 'events_from_' || first;
        EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS, UNIQUE (stream_id, version))', partition);
        EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', partition, first, first + size);
    END LOOP;
END $$;
COMMENT ON FUNCTION extend_events IS 'Makes partitions of the log, each for size positions, until there is one for position until.';
"""

MERGE = """
DO $$
DECLARE
    partition text;
BEGIN
    IF NOT EXISTS (SELECT FROM event_partitions WHERE first_position = 1) THEN
        RAISE EXCEPTION 'the log does not begin in this database: restore what was archived first';
    END IF;
    DROP VIEW event_log;
    ALTER TABLE events DETACH PARTITION events_from_1;
    FOR partition IN SELECT name FROM event_partitions ORDER BY first_position LOOP
        EXECUTE format('ALTER TABLE events DETACH PARTITION %I', partition);
        EXECUTE format('INSERT INTO events_from_1 SELECT * FROM %I ORDER BY position', partition);
        EXECUTE format('DROP TABLE %I', partition);
    END LOOP;
    DROP FUNCTION extend_events;
    DROP VIEW event_partitions;
    DROP TABLE events;
    ALTER TABLE events_from_1 RENAME TO events;
    ALTER TABLE events RENAME CONSTRAINT events_from_1_pkey TO events_pkey;
    ALTER TABLE events RENAME CONSTRAINT events_from_1_stream_id_version_key TO events_stream_id_version_key;
    ALTER INDEX events_from_1_expr_position_idx RENAME TO events_trader;
END $$;
"""


def upgrade() -> None:
    """Make the table the first partition; what takes long on a long log is done before anybody is locked out."""
    with op.get_context().autocommit_block():
        op.execute(BOUND)
        op.execute(PROVE_BOUND)
    schema = op.get_bind().exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    op.execute(PARTITION)
    op.execute(COMMENT)
    op.execute(VIEW)
    op.execute(PARTITIONS)
    op.execute(EXTEND.replace("{schema}", schema))


def downgrade() -> None:
    """Put everything into the first partition, and make it the table: a copy of what is in the later ones."""
    op.execute(MERGE)
    op.execute(COMMENT)
    op.execute(VIEW)
