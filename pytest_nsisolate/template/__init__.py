"""The template: a pytest worker inside a sandbox, which tests are cloned from.

It is to pytest what an xdist worker is, with a Config made from the host's options, plugins and conftests
loaded, and the files of its isolated tests collected. What differs is what happens when it runs an
item: after the collectors and the fixtures of wider scopes have been set up, it forks into a fresh container,
and the fork runs the rest of the item's protocol. This package is imported inside the sandbox only.
"""
