"""System call filters (seccomp(2)): ``linux.seccomp``.

::

    records        the profile as frozen data
    compile        profile -> BPF program, by libseccomp; in the launcher, as the caller
    unknown_calls  what goes before that program: ENOSYS for calls that are newer than the profile
    load           puts it in force, in the last moment before execve; and the listener's socket

libseccomp is reached through its own Python binding where that is there (Debian's python3-seccomp, for
the system's Python), and otherwise through pyseccomp, which has the same interface over ctypes, needs no
compiler, and is what ``pip install pytest-nsisolate[seccomp]`` brings. Only the compiling is left to them:
what is loaded into the kernel, with which flags, and where the listener's descriptor goes, is decided here.
"""
