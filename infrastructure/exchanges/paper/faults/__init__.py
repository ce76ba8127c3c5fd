"""Disasters on demand: what the paper venue does wrong, and only when it is told to.

Everything that goes wrong goes wrong here, between the venue and its clients: in front of the endpoints (`answers`) and
in front of the stream (`reports`). The exchange and its journal know nothing of it, so facts stay facts.
"""
