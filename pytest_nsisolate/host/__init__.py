"""The host's side of isolated tests: it starts templates, orders runs, and believes nothing but data."""
