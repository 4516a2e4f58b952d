"""How the kernel treats the container process: scheduling, memory policy, personality, security labels.

Imported only by a plan that asks for any of it, and before the pivot.
"""
