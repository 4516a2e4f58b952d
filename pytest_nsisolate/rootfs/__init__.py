"""What a test's root file system contains: the host's programs, the interpreter, the project, little else.

Everything in here is planning: the result is data, a :class:`~.layout.Layout` of skeleton entries and
mounts. The host is only looked at, never changed.
"""
