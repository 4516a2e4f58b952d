"""What this machine allows, found out by doing it, and what lifts what it does not.

::

    facts      what explains a refusal: container, filters, sysctls, masks
    maps       maps of ids to try
    trial      does one thing in a throw-away child
    checks     the things to try, and what each is needed for
    remedies   refusal and facts -> cause and command
    report     all of it, as text and as data

Sysctls and other files only explain; whether something works is known from having done it.
"""
