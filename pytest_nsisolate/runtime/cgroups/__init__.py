"""Control groups: v1, v2 and both at once ("hybrid"), through the cgroup file systems alone.

::

    locate    which hierarchies are mounted where, and the container's directory in each
    limits    linux.resources -> which file of which controller gets which value (pure)
    v1, v2    the two dialects of that
    devices   device rules: lines for v1, an eBPF program for v2
    group     the container's cgroup: make, limit, join, freeze, kill, remove
    stats     what it has used

Imported only by what needs a cgroup: a plan without limits costs nothing.
"""
