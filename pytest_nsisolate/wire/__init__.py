"""What crosses between the host and a sandbox, and how.

Host to sandbox it may be pickle: it is the user's own code. Sandbox to host it is data, never pickle, because
a test may be hostile, and a crafted pickle would run on the host.
"""
