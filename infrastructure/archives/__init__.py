"""Partitions of the log that were taken out of the database, as files."""
