"""The rules: what orders and accounts may do. Standard library only, no I/O, no clock, no randomness."""
