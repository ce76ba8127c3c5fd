"""The event store, the follower and the read tables on PostgreSQL."""
