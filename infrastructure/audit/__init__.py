"""What makes tampering with the log evident, without a database: tree, checkpoints, keys, and the examination of a log."""
