"""Cgroups that systemd makes and keeps: a container is a transient scope unit (systemd.scope(5)).

::

    scope              linux.cgroupsPath as slice:prefix:name -> the unit's name and slice (pure)
    annotations        org.systemd.property.NAME -> properties of the unit, by gvariant (pure)
    properties         linux.resources -> properties of the unit (pure), device_properties among them
    bus                the manager, of the machine or of the user, over D-Bus
    placeholder        the process that a scope begins with
    creation           starting the scope, and its directories
    unit               limits, further processes, and the end

What systemd is told is written to the cgroup's files as well: it knows some limits only roughly, and others
not at all. It has to be told, because it writes its own values again whenever it sees fit.
"""
