"""Sends a file of recorded order flow through the engine as many traders, and measures what comes back."""
