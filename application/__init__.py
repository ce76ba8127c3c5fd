"""The flow: commands in, events out. Knows the domain and its own ports, nothing else."""
