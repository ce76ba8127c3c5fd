"""The read side: one file per read model, with its rows, its fold over a batch of events and its queries."""
