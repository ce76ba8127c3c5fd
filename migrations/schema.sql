CREATE SCHEMA building;

COMMENT ON SCHEMA building IS 'Read tables while they are built, under the names that they will have.';

CREATE SCHEMA previous;

COMMENT ON SCHEMA previous IS 'Read tables that were replaced by rebuilt ones, until somebody drops them.';

CREATE FUNCTION public.current_trader() RETURNS text
    LANGUAGE sql STABLE
    AS $$
    SELECT CASE WHEN pg_has_role(session_user, 'orderlog_app', 'MEMBER')
        THEN current_setting('orderlog.trader_id', true) ELSE session_user::text END
$$;

COMMENT ON FUNCTION public.current_trader() IS 'Whose rows the role orderlog_trader sees.';

CREATE FUNCTION public.extend_events(until bigint, size bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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
        PERFORM protect_log_table(partition::regclass);
    END LOOP;
END $$;

COMMENT ON FUNCTION public.extend_events(until bigint, size bigint) IS 'Makes partitions of the log, each for size positions, until there is one for position until.';

CREATE FUNCTION public.protect_log_table(log_table regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = log_table AND tgname = 'only_grows') THEN
        EXECUTE format('CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION refuse_change()', log_table);
    END IF;
    IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = log_table AND tgname = 'is_never_emptied') THEN
        EXECUTE format('CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', log_table);
    END IF;
END $$;

COMMENT ON FUNCTION public.protect_log_table(log_table regclass) IS 'Lets a table, or an attached partition, only grow. Call it again at any time.';

CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% only grows: % is refused', TG_TABLE_NAME, TG_OP
        USING HINT = 'What is recorded stays as it is; record what corrects it.';
END $$;

COMMENT ON FUNCTION public.refuse_change() IS 'Keeps everybody from changing what is recorded, its owner included.';

CREATE FUNCTION public.secure_database() RETURNS boolean
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION public.secure_database() IS 'Gives every table to its roles, as far as there are any; false: there are none. Call it again at any time.';

CREATE FUNCTION public.secure_read_table(read_table regclass) RETURNS void
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION public.secure_read_table(read_table regclass) IS 'Privileges and policies of a read table with a trader_id. Call it again at any time.';

CREATE TABLE building.progress (
    name text NOT NULL COLLATE pg_catalog."C",
    shard integer NOT NULL,
    shards integer NOT NULL,
    version integer NOT NULL,
    "position" bigint NOT NULL,
    is_prepared boolean NOT NULL,
    began_at timestamp with time zone,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE building.progress IS 'How far each shard of a table that is being built has read the log; written with its rows.';

COMMENT ON COLUMN building.progress.is_prepared IS 'A migration made the table, in a shape that the live one does not have.';

CREATE TABLE public.accounts (
    trader_id text NOT NULL COLLATE pg_catalog."C",
    currency text NOT NULL COLLATE pg_catalog."C",
    cash numeric NOT NULL,
    reserved numeric NOT NULL,
    open_orders bigint NOT NULL,
    "position" bigint NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.accounts IS 'Every trader''s cash, and how much of it working orders hold.';

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);

CREATE TABLE public.archives (
    first_position bigint NOT NULL,
    last_position bigint NOT NULL,
    previous_hash bytea NOT NULL,
    last_hash bytea NOT NULL,
    sha256 bytea NOT NULL,
    archived_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE public.archives IS 'Partitions of the log that were taken out into files; sha256 is that of the file.';

CREATE TABLE public.checkpoints (
    name text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    rate double precision DEFAULT 0 NOT NULL
);

COMMENT ON TABLE public.checkpoints IS 'How far each reader of the log has come; written in the transaction that writes what it read.';

COMMENT ON COLUMN public.checkpoints.version IS 'The version of the projection that wrote the rows.';

COMMENT ON COLUMN public.checkpoints.rate IS 'Events a second when it was last updated: a mean in which what is ten seconds older counts a third.';

CREATE TABLE public.events (
    "position" bigint NOT NULL,
    stream_id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    data text NOT NULL,
    metadata text NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    hash bytea NOT NULL
)
PARTITION BY RANGE ("position");

COMMENT ON TABLE public.events IS 'The execution log. data and metadata are JSON as text, because the hash chain covers their exact bytes.';

CREATE VIEW public.event_log AS
 SELECT "position",
    stream_id,
    version,
    type,
    (data)::jsonb AS data,
    (metadata)::jsonb AS metadata,
    recorded_at,
    encode(hash, 'hex'::text) AS hash
   FROM public.events;

CREATE VIEW public.event_partitions AS
 SELECT pg_class.relname AS name,
    (bounds.bounds[1])::bigint AS first_position,
    ((bounds.bounds[2])::bigint - 1) AS last_position
   FROM ((pg_inherits
     JOIN pg_class ON ((pg_class.oid = pg_inherits.inhrelid)))
     CROSS JOIN LATERAL regexp_match(pg_get_expr(pg_class.relpartbound, pg_inherits.inhrelid), '\(''(\d+)''\) TO \(''(\d+)''\)'::text) bounds(bounds))
  WHERE (pg_inherits.inhparent = ('public.events'::regclass)::oid);

COMMENT ON VIEW public.event_partitions IS 'The partitions of the log, and the positions that each is for.';

CREATE TABLE public.events_from_1 (
    "position" bigint CONSTRAINT events_position_not_null NOT NULL,
    stream_id text CONSTRAINT events_stream_id_not_null NOT NULL COLLATE pg_catalog."C",
    version integer CONSTRAINT events_version_not_null NOT NULL,
    type text CONSTRAINT events_type_not_null NOT NULL COLLATE pg_catalog."C",
    data text CONSTRAINT events_data_not_null NOT NULL,
    metadata text CONSTRAINT events_metadata_not_null NOT NULL,
    recorded_at timestamp with time zone CONSTRAINT events_recorded_at_not_null NOT NULL,
    hash bytea CONSTRAINT events_hash_not_null NOT NULL
);

CREATE TABLE public.execution_log (
    id bigint NOT NULL,
    order_id text NOT NULL COLLATE pg_catalog."C",
    trader_id text NOT NULL COLLATE pg_catalog."C",
    action text NOT NULL COLLATE pg_catalog."C",
    status text NOT NULL COLLATE pg_catalog."C",
    recorded_at timestamp with time zone NOT NULL,
    reason text,
    retry_attempt bigint
);

COMMENT ON TABLE public.execution_log IS 'Everything that ever happened to an order; id is the event''s position in the log.';

CREATE TABLE public.executions_read (
    venue text NOT NULL COLLATE pg_catalog."C",
    until timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.executions_read IS 'All executions of the venue up to this time of its own are in the log.';

CREATE TABLE public.fills (
    id text NOT NULL COLLATE pg_catalog."C",
    order_id text NOT NULL COLLATE pg_catalog."C",
    trader_id text NOT NULL COLLATE pg_catalog."C",
    symbol text NOT NULL COLLATE pg_catalog."C",
    side text NOT NULL COLLATE pg_catalog."C",
    executed_at timestamp with time zone NOT NULL,
    quantity_filled numeric NOT NULL,
    price_at_fill numeric NOT NULL,
    venue text NOT NULL COLLATE pg_catalog."C",
    commission numeric NOT NULL,
    "position" bigint NOT NULL
);

COMMENT ON TABLE public.fills IS 'Every fill of every order.';

CREATE TABLE public.heartbeats (
    name text NOT NULL COLLATE pg_catalog."C",
    is_ok boolean NOT NULL,
    detail text NOT NULL,
    at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.heartbeats IS 'What each part of the engine last said of itself; one that is silent is not well.';

CREATE TABLE public.instruments (
    symbol text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL,
    tradable boolean NOT NULL,
    fractionable boolean NOT NULL,
    reference_price numeric,
    price_at timestamp with time zone,
    refreshed_at timestamp with time zone NOT NULL,
    tick_size numeric,
    tick_size_below_dollar numeric,
    lot_size numeric,
    min_quantity numeric,
    max_quantity numeric,
    fractional_day_only boolean DEFAULT false NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.instruments IS 'What the venue trades, with its last prices; refreshed_at is when a row last changed.';

CREATE TABLE public.keys (
    trader_id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    value text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL,
    stream_id text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL
);

COMMENT ON TABLE public.keys IS 'What a trader''s idempotency key or client order id was used for; committed with the events it led to.';

CREATE TABLE public.log_head (
    singleton boolean DEFAULT true NOT NULL,
    "position" bigint NOT NULL,
    hash bytea NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    CONSTRAINT log_head_singleton_check CHECK (singleton)
)
WITH (fillfactor='10');

COMMENT ON TABLE public.log_head IS 'One row: the last event. Its lock serializes appends, so commit order is position order.';

CREATE TABLE public.orders (
    id text NOT NULL COLLATE pg_catalog."C",
    client_order_id text NOT NULL COLLATE pg_catalog."C",
    trader_id text NOT NULL COLLATE pg_catalog."C",
    symbol text NOT NULL COLLATE pg_catalog."C",
    side text NOT NULL COLLATE pg_catalog."C",
    quantity numeric NOT NULL,
    order_type text NOT NULL COLLATE pg_catalog."C",
    price numeric,
    stop_price numeric,
    time_in_force text NOT NULL COLLATE pg_catalog."C",
    stop_loss numeric,
    take_profit numeric,
    status text NOT NULL COLLATE pg_catalog."C",
    filled_quantity numeric NOT NULL,
    leaves_quantity numeric NOT NULL,
    average_fill_price numeric,
    reason text,
    flags text[] NOT NULL,
    version bigint NOT NULL,
    "position" bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    created_position bigint NOT NULL,
    is_open boolean GENERATED ALWAYS AS ((status <> ALL (ARRAY['FILLED'::text, 'CANCELLED'::text, 'REJECTED'::text, 'EXPIRED'::text]))) STORED NOT NULL,
    parent_order_id text COLLATE pg_catalog."C",
    oco_order_id text COLLATE pg_catalog."C"
)
WITH (fillfactor='80');

COMMENT ON TABLE public.orders IS 'Every order as its events leave it.';

CREATE TABLE public.positions (
    trader_id text NOT NULL COLLATE pg_catalog."C",
    symbol text NOT NULL COLLATE pg_catalog."C",
    quantity numeric NOT NULL,
    cost numeric NOT NULL,
    realised_pnl numeric NOT NULL,
    commission numeric NOT NULL,
    "position" bigint NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.positions IS 'What every trader holds of every symbol, at average cost.';

CREATE TABLE public.projection_stops (
    name text NOT NULL COLLATE pg_catalog."C",
    "position" bigint NOT NULL,
    event_type text NOT NULL COLLATE pg_catalog."C",
    reason text NOT NULL,
    since timestamp with time zone NOT NULL,
    tried_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

COMMENT ON TABLE public.projection_stops IS 'The last event that each projection could not apply; it stands there while its checkpoint is right before it.';

CREATE TABLE public.snapshots (
    stream_id text NOT NULL COLLATE pg_catalog."C",
    shape text NOT NULL COLLATE pg_catalog."C",
    version integer NOT NULL,
    "position" bigint NOT NULL,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    state text NOT NULL
);

COMMENT ON TABLE public.snapshots IS 'States of streams as they were after some version: derived, and used only by programs whose states have the same shape.';

CREATE UNLOGGED TABLE public.stream_tickets (
    digest bytea NOT NULL,
    trader_id text NOT NULL COLLATE pg_catalog."C",
    expires_at timestamp with time zone NOT NULL
);

COMMENT ON TABLE public.stream_tickets IS 'Tickets that nobody has used yet, by their SHA-256.';

ALTER TABLE ONLY public.events ATTACH PARTITION public.events_from_1 FOR VALUES FROM ('1') TO ('10000001');

ALTER TABLE ONLY building.progress
    ADD CONSTRAINT progress_pkey PRIMARY KEY (name, shard);

ALTER TABLE ONLY public.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (trader_id);

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);

ALTER TABLE ONLY public.archives
    ADD CONSTRAINT archives_pkey PRIMARY KEY (last_position);

ALTER TABLE ONLY public.checkpoints
    ADD CONSTRAINT checkpoints_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY public.events_from_1
    ADD CONSTRAINT events_from_1_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY public.events_from_1
    ADD CONSTRAINT events_from_1_stream_id_version_key UNIQUE (stream_id, version);

ALTER TABLE ONLY public.execution_log
    ADD CONSTRAINT execution_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.executions_read
    ADD CONSTRAINT executions_read_pkey PRIMARY KEY (venue);

ALTER TABLE ONLY public.fills
    ADD CONSTRAINT fills_pkey PRIMARY KEY (order_id, id);

ALTER TABLE ONLY public.heartbeats
    ADD CONSTRAINT heartbeats_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.instruments
    ADD CONSTRAINT instruments_pkey PRIMARY KEY (symbol);

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (trader_id, kind, value);

ALTER TABLE ONLY public.log_head
    ADD CONSTRAINT log_head_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.orders
    ADD CONSTRAINT orders_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.positions
    ADD CONSTRAINT positions_pkey PRIMARY KEY (trader_id, symbol);

ALTER TABLE ONLY public.projection_stops
    ADD CONSTRAINT projection_stops_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.snapshots
    ADD CONSTRAINT snapshots_pkey PRIMARY KEY (stream_id, shape);

ALTER TABLE ONLY public.stream_tickets
    ADD CONSTRAINT stream_tickets_pkey PRIMARY KEY (digest);

CREATE INDEX events_trader ON ONLY public.events USING btree ((((metadata)::jsonb ->> 'trader_id'::text)), "position");

CREATE INDEX events_from_1_expr_position_idx ON public.events_from_1 USING btree ((((metadata)::jsonb ->> 'trader_id'::text)), "position");

CREATE INDEX events_milestones ON ONLY public.events USING btree (stream_id, version) WHERE ((version % 200) = 0);

CREATE INDEX events_from_1_stream_id_version_idx ON public.events_from_1 USING btree (stream_id, version) WHERE ((version % 200) = 0);

CREATE INDEX execution_log_of_order ON public.execution_log USING btree (order_id, id);

CREATE INDEX execution_log_of_trader ON public.execution_log USING btree (trader_id, id);

CREATE INDEX orders_newest ON public.orders USING btree (trader_id, created_position);

CREATE INDEX orders_newest_of_symbol ON public.orders USING btree (trader_id, symbol, created_position);

CREATE INDEX orders_open ON public.orders USING btree (trader_id, created_position) WHERE is_open;

CREATE INDEX orders_over ON public.orders USING btree (trader_id, status, created_position) WHERE (NOT is_open);

CREATE INDEX stream_tickets_expiry ON public.stream_tickets USING btree (expires_at);

ALTER INDEX public.events_trader ATTACH PARTITION public.events_from_1_expr_position_idx;

ALTER INDEX public.events_pkey ATTACH PARTITION public.events_from_1_pkey;

ALTER INDEX public.events_milestones ATTACH PARTITION public.events_from_1_stream_id_version_idx;

CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON public.events_from_1 FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON public.keys FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER is_never_emptied BEFORE TRUNCATE ON public.log_head FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER only_goes_forward BEFORE UPDATE ON public.log_head FOR EACH ROW WHEN ((new."position" <= old."position")) EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER only_grows BEFORE DELETE OR UPDATE ON public.events FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER only_grows BEFORE DELETE OR UPDATE ON public.keys FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER stays BEFORE DELETE ON public.log_head FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

ALTER TABLE public.accounts ENABLE ROW LEVEL SECURITY;

CREATE POLICY auditor ON public.accounts FOR SELECT TO orderlog_auditor USING (true);

CREATE POLICY auditor ON public.execution_log FOR SELECT TO orderlog_auditor USING (true);

CREATE POLICY auditor ON public.fills FOR SELECT TO orderlog_auditor USING (true);

CREATE POLICY auditor ON public.orders FOR SELECT TO orderlog_auditor USING (true);

CREATE POLICY auditor ON public.positions FOR SELECT TO orderlog_auditor USING (true);

CREATE POLICY engine ON public.accounts TO orderlog_app USING (true) WITH CHECK (true);

CREATE POLICY engine ON public.execution_log TO orderlog_app USING (true) WITH CHECK (true);

CREATE POLICY engine ON public.fills TO orderlog_app USING (true) WITH CHECK (true);

CREATE POLICY engine ON public.orders TO orderlog_app USING (true) WITH CHECK (true);

CREATE POLICY engine ON public.positions TO orderlog_app USING (true) WITH CHECK (true);

ALTER TABLE public.execution_log ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.fills ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;

ALTER TABLE public.positions ENABLE ROW LEVEL SECURITY;

CREATE POLICY trader ON public.accounts FOR SELECT TO orderlog_trader USING ((trader_id = ( SELECT public.current_trader() AS current_trader)));

CREATE POLICY trader ON public.execution_log FOR SELECT TO orderlog_trader USING ((trader_id = ( SELECT public.current_trader() AS current_trader)));

CREATE POLICY trader ON public.fills FOR SELECT TO orderlog_trader USING ((trader_id = ( SELECT public.current_trader() AS current_trader)));

CREATE POLICY trader ON public.orders FOR SELECT TO orderlog_trader USING ((trader_id = ( SELECT public.current_trader() AS current_trader)));

CREATE POLICY trader ON public.positions FOR SELECT TO orderlog_trader USING ((trader_id = ( SELECT public.current_trader() AS current_trader)));
