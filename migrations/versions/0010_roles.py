"""Who may do what: roles, row-level security on the read tables, and triggers that keep the log from being changed."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# ── The log only grows: for everybody, its owner included, unless he switches the triggers off on purpose ──

# A partition has the trigger for rows from its table, and none for TRUNCATE.
TRIGGERS = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% only grows: % is refused', TG_TABLE_NAME, TG_OP
        USING HINT = 'What is recorded stays as it is; record what corrects it.';
END $$;
COMMENT ON FUNCTION refuse_change IS 'Keeps everybody from changing what is recorded, its owner included.';

CREATE FUNCTION protect_log_table(log_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = log_table AND tgname = 'only_grows') THEN
        EXECUTE format('CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION refuse_change()', log_table);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = log_table AND tgname = 'is_never_emptied') THEN
        EXECUTE format('CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', log_table);
    END IF;
END $$;
COMMENT ON FUNCTION protect_log_table IS 'Lets a table, or an attached partition, only grow. Call it again at any time.';

CREATE TRIGGER only_goes_forward BEFORE UPDATE ON log_head FOR EACH ROW
    WHEN (NEW.position <= OLD.position) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER stays BEFORE DELETE ON log_head FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON log_head FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

SELECT protect_log_table('events');
SELECT protect_log_table('keys');
SELECT protect_log_table(format('%I', name)::regclass) FROM event_partitions;
"""

# A new partition is protected as soon as it is attached.
_EXTEND = """
DO $$
BEGIN
    EXECUTE replace(pg_get_functiondef('extend_events'::regproc), '{before}', '{after}');
END $$
"""
_LOOP, _PROTECTING_LOOP = "    END LOOP;", "        PERFORM protect_log_table(partition::regclass);\n    END LOOP;"

# ── Roles. Without the right to make them, somebody who has it does (docs/how-to/separate-database-roles.md) ──

# Other databases of the server have the same roles, and may make them at the same moment. Who makes them may give himself
# the right to act as them; a superuser has it.
ROLES = """
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['orderlog_owner', 'orderlog_app', 'orderlog_auditor', 'orderlog_trader'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
            IF wanted <> 'orderlog_trader' AND NOT pg_has_role(wanted, 'USAGE') THEN
                EXECUTE format('GRANT %I TO %I', wanted, session_user);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'not allowed to make the role %, or to act as it: %', wanted, SQLERRM;
        END;
    END LOOP;
END $$;
"""

# The trader of a session: whoever logged in, unless it is the engine, which says for whom it asks.
TRADER = """
CREATE FUNCTION current_trader() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN pg_has_role(session_user, 'orderlog_app', 'MEMBER')
        THEN current_setting('orderlog.trader_id', true) ELSE session_user::text END
$$;
COMMENT ON FUNCTION current_trader IS 'Whose rows the role orderlog_trader sees.';
"""

SECURE = """
CREATE FUNCTION secure_read_table(read_table regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    policy record;
BEGIN
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO orderlog_app', read_table);
    EXECUTE format('GRANT SELECT ON %s TO orderlog_auditor, orderlog_trader', read_table);
    FOR policy IN
        SELECT * FROM (VALUES
            ('engine', 'FOR ALL TO orderlog_app USING (true) WITH CHECK (true)'),
            ('auditor', 'FOR SELECT TO orderlog_auditor USING (true)'),
            ('trader', 'FOR SELECT TO orderlog_trader USING (trader_id = (SELECT current_trader()))')
        ) AS wanted (name, terms)
        WHERE NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = read_table AND polname = wanted.name)
    LOOP
        EXECUTE format('CREATE POLICY %I ON %s %s', policy.name, read_table, policy.terms);
    END LOOP;
    IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = read_table) THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', read_table);
    END IF;
END $$;
COMMENT ON FUNCTION secure_read_table IS 'Privileges and policies of a read table with a trader_id. Call it again at any time.';

CREATE FUNCTION secure_database() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    here text := current_schema();
    found record;
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('orderlog_owner', 'orderlog_app', 'orderlog_auditor', 'orderlog_trader')) < 4 THEN
        RAISE NOTICE 'the roles orderlog_owner, orderlog_app, orderlog_auditor and orderlog_trader are missing: nothing was granted';
        RETURN false;
    END IF;

    FOR found IN SELECT * FROM (VALUES ('app', 'USAGE'), ('auditor', 'USAGE'), ('trader', 'USAGE'), ('owner', 'USAGE, CREATE')) AS wanted (name, rights) LOOP
        IF NOT has_schema_privilege('orderlog_' || found.name, here, split_part(found.rights, ', ', -1)) THEN
            EXECUTE format('GRANT %s ON SCHEMA %I TO %I', found.rights, here, 'orderlog_' || found.name);
        END IF;
    END LOOP;
    GRANT USAGE ON SCHEMA building, previous TO orderlog_app, orderlog_auditor;
    GRANT SELECT ON building.progress TO orderlog_app, orderlog_auditor;
    FOR found IN
        SELECT oid, oid::regclass AS name, relname FROM pg_class
        WHERE relnamespace = here::regnamespace AND relkind IN ('r', 'p', 'v')
            AND relname NOT IN (SELECT event_partitions.name FROM event_partitions)
    LOOP
        IF found.relname IN ('events', 'keys') THEN
            EXECUTE format('GRANT SELECT, INSERT ON %s TO orderlog_app', found.name);
            EXECUTE format('GRANT SELECT ON %s TO orderlog_auditor', found.name);
        ELSIF found.relname IN (SELECT checkpoints.name FROM checkpoints) THEN
            PERFORM secure_read_table(found.oid);
        ELSIF found.relname IN ('event_log', 'event_partitions', 'alembic_version') THEN
            EXECUTE format('GRANT SELECT ON %s TO orderlog_app, orderlog_auditor', found.name);
        ELSIF found.relname = 'log_head' THEN
            GRANT SELECT, UPDATE ON log_head TO orderlog_app;
            GRANT SELECT ON log_head TO orderlog_auditor;
        ELSIF found.relname = 'stream_tickets' THEN
            GRANT SELECT, INSERT, UPDATE, DELETE ON stream_tickets TO orderlog_app;
        ELSE
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO orderlog_app', found.name);
            EXECUTE format('GRANT SELECT ON %s TO orderlog_auditor', found.name);
        END IF;
    END LOOP;
    GRANT SELECT ON instruments TO orderlog_trader;
    REVOKE EXECUTE ON FUNCTION extend_events FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION extend_events TO orderlog_app;

    -- What is not ours to give away stays where it is.
    IF NOT pg_has_role('orderlog_owner', 'MEMBER') THEN
        RETURN true;
    END IF;
    FOR found IN
        SELECT format('SCHEMA %I', nspname) AS name FROM pg_namespace
        WHERE nspname IN ('building', 'previous') AND nspowner <> 'orderlog_owner'::regrole
        UNION ALL
        SELECT format('%s %s', CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass) FROM pg_class
        WHERE relnamespace IN (here::regnamespace, 'building'::regnamespace, 'previous'::regnamespace)
            AND relkind IN ('r', 'p', 'v') AND relowner <> 'orderlog_owner'::regrole
        UNION ALL
        SELECT format('FUNCTION %s', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = here::regnamespace AND proowner <> 'orderlog_owner'::regrole
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND classid = 'pg_proc'::regclass AND deptype = 'e')
    LOOP
        EXECUTE format('ALTER %s OWNER TO orderlog_owner', found.name);
    END LOOP;
    RETURN true;
END $$;
COMMENT ON FUNCTION secure_database IS 'Gives every table to its roles, as far as there are any; false: there are none. Call it again at any time.';
"""

ABANDON = """
DO $$
DECLARE
    schemas oid[] := ARRAY[current_schema()::regnamespace, 'building'::regnamespace, 'previous'::regnamespace];
    found record;
    roles text;
BEGIN
    FOR found IN SELECT polrelid::regclass AS name, polname FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid WHERE relnamespace = ANY (schemas) LOOP
        EXECUTE format('DROP POLICY %I ON %s', found.polname, found.name);
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', found.name);
    END LOOP;
    SELECT string_agg(rolname, ', ') INTO roles FROM pg_roles
    WHERE rolname IN ('orderlog_owner', 'orderlog_app', 'orderlog_auditor', 'orderlog_trader');
    IF roles IS NULL THEN
        RETURN;
    END IF;
    FOR found IN
        SELECT format('SCHEMA %I', nspname) AS name, pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE oid = ANY (schemas)
        UNION ALL
        SELECT format('TABLE %s', oid::regclass), pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = ANY (schemas) AND relkind IN ('r', 'p', 'v')
        UNION ALL
        SELECT format('FUNCTION %s', oid::regprocedure), pg_get_userbyid(proowner) FROM pg_proc WHERE pronamespace = schemas[1]
    LOOP
        IF found.owner = 'orderlog_owner' THEN
            EXECUTE format('ALTER %s OWNER TO %I', found.name, session_user);
        END IF;
        EXECUTE format('REVOKE ALL ON %s FROM %s', found.name, roles);
    END LOOP;
    GRANT EXECUTE ON FUNCTION extend_events TO PUBLIC;
END $$
"""

DOWN = """
DROP FUNCTION secure_database;
DROP FUNCTION secure_read_table;
DROP FUNCTION current_trader;
DROP FUNCTION protect_log_table;
DROP FUNCTION refuse_change CASCADE;
"""

# Another database of the server may need them: then they stay.
_DROP_ROLES = """
DO $$
DECLARE
    unwanted text;
BEGIN
    FOREACH unwanted IN ARRAY ARRAY['orderlog_owner', 'orderlog_app', 'orderlog_auditor', 'orderlog_trader'] LOOP
        BEGIN
            EXECUTE format('DROP ROLE IF EXISTS %I', unwanted);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege OR object_in_use THEN
            RAISE NOTICE 'the role % stays: %', unwanted, SQLERRM;
        END;
    END LOOP;
END $$
"""


def upgrade() -> None:
    """Protect the log, make the roles, and give every table to them. Nothing fails where roles cannot be made."""
    op.execute(TRIGGERS)
    op.execute(_EXTEND.format(before=_LOOP, after=_PROTECTING_LOOP))
    op.execute(ROLES)
    op.execute(TRADER)
    op.execute(SECURE)
    op.execute("SELECT secure_database()")


def downgrade() -> None:
    """Take everything back from the roles, and drop those that no other database needs."""
    op.execute(ABANDON)
    op.execute(_EXTEND.format(before=_PROTECTING_LOOP, after=_LOOP))
    op.execute(DOWN)
    op.execute(_DROP_ROLES)
