"""Run revisions on the connection that ``infrastructure.postgres.migrating`` hands over."""

from alembic import context
from sqlalchemy import text

UPGRADE_LOCK = 0x6F726465726C6F67
"""The advisory lock that makes two processes which upgrade at once take turns: ``orderlog`` as a number."""

context.configure(connection=context.config.attributes["connection"], target_metadata=None)
with context.begin_transaction():
    # Taken before Alembic looks at the version table, so that the one who waited finds the work done.
    context.execute(text(f"SELECT pg_advisory_lock({UPGRADE_LOCK})"))
    context.run_migrations()
