"""The container runtime: from a frozen :class:`~pytest_nsisolate.runtime.plan.Plan` to a process.

Nothing in here knows pytest. ``nsisolate run`` is meant to start in the time of a bare interpreter,
so the modules of this package import neither ``typing``, ``dataclasses``, ``re``, ``enum``, ``json``
nor ``socket`` at the top: together they cost more than the container does.
"""
