"""Which program this is."""

from importlib.metadata import version

VERSION = version("orderlog")
