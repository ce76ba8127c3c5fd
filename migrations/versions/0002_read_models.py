"""The read models: a table for each projection, and the instruments that the venue trades."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# numeric without limits holds every decimal exactly as it was. Rows change in place (HOT) as long as they stay on their
# page and no indexed column changes, hence the fill factors, and hence no index on a column that changes often.
UP = """
ALTER TABLE checkpoints ADD COLUMN version integer NOT NULL DEFAULT 1;
COMMENT ON COLUMN checkpoints.version IS 'The version of the projection that wrote the rows.';

CREATE TABLE orders (
    id text COLLATE "C" PRIMARY KEY,
    client_order_id text COLLATE "C" NOT NULL,
    trader_id text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    side text COLLATE "C" NOT NULL,
    quantity numeric NOT NULL,
    order_type text COLLATE "C" NOT NULL,
    price numeric,
    stop_price numeric,
    time_in_force text COLLATE "C" NOT NULL,
    stop_loss numeric,
    take_profit numeric,
    status text COLLATE "C" NOT NULL,
    filled_quantity numeric NOT NULL,
    leaves_quantity numeric NOT NULL,
    average_fill_price numeric,
    reason text,
    flags text[] NOT NULL,
    version bigint NOT NULL,
    position bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    created_position bigint NOT NULL,
    is_open boolean NOT NULL GENERATED ALWAYS AS (status NOT IN ('FILLED', 'CANCELLED', 'REJECTED', 'EXPIRED')) STORED
) WITH (fillfactor = 80);
COMMENT ON TABLE orders IS 'Every order as its events leave it.';
CREATE INDEX orders_newest ON orders (trader_id, created_position);
CREATE INDEX orders_newest_of_symbol ON orders (trader_id, symbol, created_position);
CREATE INDEX orders_open ON orders (trader_id, created_position) WHERE is_open;
CREATE INDEX orders_over ON orders (trader_id, status, created_position) WHERE NOT is_open;

CREATE TABLE fills (
    id text COLLATE "C" NOT NULL,
    order_id text COLLATE "C" NOT NULL,
    trader_id text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    side text COLLATE "C" NOT NULL,
    executed_at timestamptz NOT NULL,
    quantity_filled numeric NOT NULL,
    price_at_fill numeric NOT NULL,
    venue text COLLATE "C" NOT NULL,
    commission numeric NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (order_id, id)
);
COMMENT ON TABLE fills IS 'Every fill of every order.';

CREATE TABLE accounts (
    trader_id text COLLATE "C" PRIMARY KEY,
    currency text COLLATE "C" NOT NULL,
    cash numeric NOT NULL,
    reserved numeric NOT NULL,
    open_orders bigint NOT NULL,
    position bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE accounts IS 'Every trader''s cash, and how much of it working orders hold.';

CREATE TABLE positions (
    trader_id text COLLATE "C" NOT NULL,
    symbol text COLLATE "C" NOT NULL,
    quantity numeric NOT NULL,
    cost numeric NOT NULL,
    realised_pnl numeric NOT NULL,
    commission numeric NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (trader_id, symbol)
) WITH (fillfactor = 50);
COMMENT ON TABLE positions IS 'What every trader holds of every symbol, at average cost.';

CREATE TABLE execution_log (
    id bigint PRIMARY KEY,
    order_id text COLLATE "C" NOT NULL,
    trader_id text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    recorded_at timestamptz NOT NULL,
    reason text,
    retry_attempt bigint
);
COMMENT ON TABLE execution_log IS 'Everything that ever happened to an order; id is the event''s position in the log.';
CREATE INDEX execution_log_of_order ON execution_log (order_id, id);
CREATE INDEX execution_log_of_trader ON execution_log (trader_id, id);

INSERT INTO checkpoints (name, position)
VALUES ('orders', 0), ('fills', 0), ('accounts', 0), ('positions', 0), ('execution_log', 0);

CREATE TABLE instruments (
    symbol text COLLATE "C" PRIMARY KEY,
    name text NOT NULL,
    tradable boolean NOT NULL,
    fractionable boolean NOT NULL,
    reference_price numeric,
    price_at timestamptz,
    refreshed_at timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE instruments IS 'What the venue trades, with its last prices; refreshed_at is when a row last changed.';
"""

DOWN = """
DROP TABLE instruments;
DELETE FROM checkpoints WHERE name IN ('orders', 'fills', 'accounts', 'positions', 'execution_log');
DROP TABLE execution_log;
DROP TABLE positions;
DROP TABLE accounts;
DROP TABLE fills;
DROP TABLE orders;
ALTER TABLE checkpoints DROP COLUMN version;
"""


def upgrade() -> None:
    """Create the read tables, empty: the worker fills them from the log."""
    op.execute(UP)


def downgrade() -> None:
    """Drop the read tables; nothing is lost, they are built from the log."""
    op.execute(DOWN)
