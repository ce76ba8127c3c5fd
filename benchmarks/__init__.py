"""How fast it is: each figure beside its baselines, measured in turns against one PostgreSQL that waits for the disk."""
