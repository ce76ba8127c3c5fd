"""The embedded servers and the supervision of processes."""
