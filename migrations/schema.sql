CREATE SCHEMA building;

COMMENT ON SCHEMA building IS 'Read tables while they are built, under the names that they will have.';

CREATE SCHEMA previous;

COMMENT ON SCHEMA previous IS 'Read tables that were replaced by rebuilt ones, until somebody drops them.';

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
    END LOOP;
END $$;

COMMENT ON FUNCTION public.extend_events(until bigint, size bigint) IS 'Makes partitions of the log, each for size positions, until there is one for position until.';

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
    refreshed_at timestamp with time zone NOT NULL
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

ALTER TABLE ONLY public.stream_tickets
    ADD CONSTRAINT stream_tickets_pkey PRIMARY KEY (digest);

CREATE INDEX events_trader ON ONLY public.events USING btree ((((metadata)::jsonb ->> 'trader_id'::text)), "position");

CREATE INDEX events_from_1_expr_position_idx ON public.events_from_1 USING btree ((((metadata)::jsonb ->> 'trader_id'::text)), "position");

CREATE INDEX execution_log_of_order ON public.execution_log USING btree (order_id, id);

CREATE INDEX execution_log_of_trader ON public.execution_log USING btree (trader_id, id);

CREATE INDEX orders_newest ON public.orders USING btree (trader_id, created_position);

CREATE INDEX orders_newest_of_symbol ON public.orders USING btree (trader_id, symbol, created_position);

CREATE INDEX orders_open ON public.orders USING btree (trader_id, created_position) WHERE is_open;

CREATE INDEX orders_over ON public.orders USING btree (trader_id, status, created_position) WHERE (NOT is_open);

CREATE INDEX stream_tickets_expiry ON public.stream_tickets USING btree (expires_at);

ALTER INDEX public.events_trader ATTACH PARTITION public.events_from_1_expr_position_idx;

ALTER INDEX public.events_pkey ATTACH PARTITION public.events_from_1_pkey;
