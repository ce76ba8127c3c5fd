"""The read side: one file per read model, with its rows, its fold and its queries."""
