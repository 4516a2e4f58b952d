"""Sandboxes in series: one process builds a root once and makes a fresh container of it per request.

::

    host ── launcher ── factory ─┬─ template        the program that containers are cloned from
                                 ├─ holder (PID 1)  one a container: namespaces, mounts, masks
                                 └─ ...

Factory and template share a pid namespace whose init, the keeper, lives as long as the factory: nothing
outlives it. The factory has the only unmasked /proc, so that it can mount fresh ones. It is a bare
interpreter: forking it costs little, and a holder is a fork of it which gets a container's namespaces ready
and then only waits and reaps.
The template enters a holder's namespaces with a fork of its own (setns on a pidfd), so that the large
process is forked once, by an ordinary ``os.fork``.

Two user namespaces are nested for the factory and one more for each holder. What the outer one
mounted is locked in the inner one (mount_namespaces(7)): nobody in the template can undo a mask of the
template, nobody in a container one of the container.
"""
