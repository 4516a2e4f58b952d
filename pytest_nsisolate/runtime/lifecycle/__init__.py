"""Containers that outlive a command: their state, and what the verbs do to them."""
