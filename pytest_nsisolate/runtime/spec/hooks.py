"""``hooks`` of ``config.json`` (config.md, "POSIX-platform Hooks"), read and written."""

from __future__ import annotations

from ..plan import Hook, Hooks
from .reader import INT64_MAX, Reader, absolute, env_entry

#: The spec's names, in the order of the lifecycle, and ours.
KINDS = {
    "prestart": "prestart",
    "createRuntime": "create_runtime",
    "createContainer": "create_container",
    "startContainer": "start_container",
    "poststart": "poststart",
    "poststop": "poststop",
}


def read_hooks(reader: Reader) -> Hooks:
    """Return the hooks that the object describes."""
    return Hooks(**{field: reader.array(kind, _hook) for kind, field in KINDS.items()})


def _hook(value: object, path: str) -> Hook:
    reader = Reader(value, path)
    return Hook(
        path=absolute(reader.required_string("path"), reader.field("path")),
        args=reader.strings("args"),
        env=reader.array("env", env_entry),
        timeout=reader.integer("timeout", 1, INT64_MAX, 1) if reader.has("timeout") else None,
    )


def hooks_config(hooks: Hooks) -> dict[str, object]:
    """Return *hooks* as they stand in ``config.json``; what is empty is left out."""
    lists = {kind: getattr(hooks, field) for kind, field in KINDS.items()}
    return {kind: [_config(hook) for hook in found] for kind, found in lists.items() if found}


def _config(hook: Hook) -> dict[str, object]:
    config: dict[str, object] = {"path": hook.path}
    if hook.args:
        config["args"] = list(hook.args)
    if hook.env:
        config["env"] = list(hook.env)
    if hook.timeout is not None:
        config["timeout"] = hook.timeout
    return config
