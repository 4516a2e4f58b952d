"""Device rules: which devices a container may open and make.

v1 takes them as lines; on v2 they are an eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE, which the kernel
asks at each open(2) and mknod(2) of a device.
"""

from __future__ import annotations

import struct

from ..resources import DeviceRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: What every container has (config-linux.md, "Default Devices"), and may go on using; and making nodes
#: of any kind, which is of no use without the right to open them.
DEFAULT_RULES = (
    *(DeviceRule(allow=True, type=kind, access="m") for kind in "cb"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor)
        for major, minor in (
            (1, 3),  # null
            (1, 5),  # zero
            (1, 7),  # full
            (1, 8),  # random
            (1, 9),  # urandom
            (5, 0),  # tty
            (5, 1),  # console
            (5, 2),  # ptmx
            (136, None),  # pts/*
        )
    ),
)


def complete(rules: Sequence[DeviceRule]) -> tuple[DeviceRule, ...]:
    """Return *rules* with the default devices allowed, if all were denied.

    At the end, so that the kernel lists the rules of the config in their order; those that a later rule takes
    back in whole or in part come before it, right after the one that denies all.
    """
    for i in range(len(rules) - 1, -1, -1):
        if is_everything(rules[i]):
            if rules[i].allow:
                return tuple(rules)
            before, after = rules[: i + 1], rules[i + 1 :]
            early = [d for d in DEFAULT_RULES if any(_takes_back(rule, d) for rule in after)]
            late = [d for d in DEFAULT_RULES if d not in early]
            return (*before, *early, *after, *late)
    return tuple(rules)


def _takes_back(rule: DeviceRule, default: DeviceRule) -> bool:
    return (
        not rule.allow
        and rule.type in ("a", default.type)
        and (rule.major is None or default.major in (None, rule.major))
        and (rule.minor is None or default.minor in (None, rule.minor))
        and bool({*rule.access} & {*default.access})
    )


def is_everything(rule: DeviceRule) -> bool:
    """Tell whether a rule is about all devices and all access."""
    return rule == DeviceRule(allow=rule.allow, access=rule.access) and set(rule.access) == set(
        "rwm"
    )


def lines(rules: Sequence[DeviceRule]) -> list[tuple[str, str]]:
    """Return the writes for v1, as (file, line)."""
    found = []
    for rule in complete(rules):
        file = "devices.allow" if rule.allow else "devices.deny"
        major = "*" if rule.major is None else rule.major
        minor = "*" if rule.minor is None else rule.minor
        # The kernel takes "a" for all devices and all access, whatever stands behind it.
        kinds = "cb" if rule.type == "a" and not is_everything(rule) else rule.type
        for kind in kinds:
            found.append((file, f"{kind} {major}:{minor} {rule.access}"))
    return found


# linux/bpf.h: opcodes, and the fields of struct bpf_cgroup_dev_ctx.
_LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_AND, _SHIFT_RIGHT, _MOVE = 0x57, 0x77, 0xB7  # with an immediate, 64 bits
_MOVE_REGISTER = 0xBF
_JUMP_UNEQUAL, _JUMP_EQUAL = 0x56, 0x16  # with an immediate, 32 bits
_EXIT = 0x95
_TYPES = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}
_RESULT, _ARGUMENT, _TYPE, _WANTED, _MAJOR, _MINOR, _SCRATCH = 0, 1, 2, 3, 4, 5, 6

Instruction = tuple[int, int, int, int, int]  # opcode, destination, source, offset, immediate


def program(rules: Sequence[DeviceRule]) -> bytes:
    """Return the eBPF program for v2.

    The last rule decides, so they are asked from the last to the first: one that allows takes what it
    allows off what is still wanted; one that denies any of what is still wanted says no. What no rule
    decides is allowed: it is what the parents allow.
    """
    code: list[Instruction] = [
        (_LOAD_WORD, _TYPE, _ARGUMENT, 0, 0),
        (_AND, _TYPE, 0, 0, 0xFFFF),
        (_LOAD_WORD, _WANTED, _ARGUMENT, 0, 0),
        (_SHIFT_RIGHT, _WANTED, 0, 0, 16),
        (_LOAD_WORD, _MAJOR, _ARGUMENT, 4, 0),
        (_LOAD_WORD, _MINOR, _ARGUMENT, 8, 0),
    ]
    for rule in reversed(complete(rules)):
        code += _rule(rule)
    code += _answer(1)
    return b"".join(
        struct.pack("<BBhI", opcode, destination | source << 4, offset, immediate & 0xFFFFFFFF)
        for opcode, destination, source, offset, immediate in code
    )


def _answer(allowed: int) -> list[Instruction]:
    return [(_MOVE, _RESULT, 0, 0, allowed), (_EXIT, 0, 0, 0, 0)]


def _rule(rule: DeviceRule) -> list[Instruction]:
    access = sum(bit for letter, bit in _ACCESS.items() if letter in rule.access)
    if rule.allow:
        decision = [
            (_AND, _WANTED, 0, 0, ~access),
            (_JUMP_UNEQUAL, _WANTED, 0, 2, 0),
            *_answer(1),
        ]
    else:
        decision = [
            (_MOVE_REGISTER, _SCRATCH, _WANTED, 0, 0),
            (_AND, _SCRATCH, 0, 0, access),
            (_JUMP_EQUAL, _SCRATCH, 0, 2, 0),
            *_answer(0),
        ]
    wanted = [
        (register, value)
        for register, value in (
            (_TYPE, _TYPES.get(rule.type)),
            (_MAJOR, rule.major),
            (_MINOR, rule.minor),
        )
        if value is not None
    ]
    conditions: list[Instruction] = []
    for i, (register, value) in enumerate(wanted):
        to_the_next_rule = len(wanted) - i - 1 + len(decision)
        conditions.append((_JUMP_UNEQUAL, register, 0, to_the_next_rule, value))
    return conditions + decision
