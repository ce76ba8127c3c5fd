"""The database schema, one step per file, every step with its way back."""
