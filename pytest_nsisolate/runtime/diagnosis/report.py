"""All checks, as text for people and as data for machines."""

from __future__ import annotations

from ..record import Record
from .checks import CHECKS, TESTS, Check
from .facts import Facts, gather
from .remedies import Remedy, remedy
from .trial import Refusal, attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_WIDTH = max(len(check.name) for check in CHECKS) + 2


class Finding(Record):
    """How one check went: *refusal* and *remedy*, or *untried* for want of that other check."""

    check: Check
    refusal: Refusal | None = None
    remedy: Remedy | None = None
    untried: str = ""

    @property
    def works(self) -> bool:
        """Tell whether it was tried and works."""
        return self.refusal is None and not self.untried

    @property
    def is_blocker(self) -> bool:
        """Tell whether this, and not another check before it, keeps isolated tests from running."""
        return self.refusal is not None and self.check.needed_for == TESTS


def diagnose(checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """Try everything."""
    facts = gather()
    found: list[Finding] = []
    for check in checks:
        found.append(_try(check, {f.check.name for f in found if not f.works}, facts))
    return found


def _try(check: Check, failed: set[str], facts: Facts) -> Finding:
    if check.after in failed:
        return Finding(check=check, untried=check.after)
    refusal = attempt(check.action)
    if refusal is None:
        return Finding(check=check)
    return Finding(check=check, refusal=refusal, remedy=remedy(check.name, refusal, facts))


def can_isolate(findings: Sequence[Finding]) -> bool:
    """Tell whether isolated tests can run."""
    return all(f.works for f in findings if f.check.needed_for == TESTS)


def as_text(findings: Sequence[Finding]) -> str:
    """Return the table, each refusal with its cause and what lifts it."""
    able = can_isolate(findings)
    lines = [f"isolated tests {'can' if able else 'cannot'} run here", ""]
    for finding in findings:
        if finding.works:
            lines.append(f"{finding.check.name:<{_WIDTH}}yes")
        elif finding.untried:
            lines.append(f"{finding.check.name:<{_WIDTH}}-    not tried: {finding.untried}")
        else:
            lines.append(f"{finding.check.name:<{_WIDTH}}NO   for {finding.check.needed_for}")
            lines += [f"    {line}" for line in explanation(finding)]
    return "\n".join(lines) + "\n"


def explanation(finding: Finding) -> list[str]:
    """Return the refused call, its cause, and the commands that lift it, as lines."""
    lines = [str(finding.refusal)]
    if finding.remedy is not None and finding.remedy.cause:
        lines.append(f"cause: {finding.remedy.cause}")
    if finding.remedy is not None:
        lines += [f"run:   {command}" for command in finding.remedy.commands]
    return lines


def blockers() -> str:
    """Try what isolated tests need; return what does not work, with what lifts it, or an empty text."""
    found = diagnose([check for check in CHECKS if check.needed_for == TESTS])
    lines = []
    for finding in found:
        if finding.is_blocker:
            lines.append(f"{finding.check.name}: {explanation(finding)[0]}")
            lines += [f"  {line}" for line in explanation(finding)[1:]]
    return "\n".join(lines)


def as_data(findings: Sequence[Finding]) -> dict[str, object]:
    """Return the same for JSON."""
    facts = gather()
    return {
        "isolatedTests": can_isolate(findings),
        "checks": [_one_as_data(finding) for finding in findings],
        "facts": {name: getattr(facts, name) for name in Facts.__annotations__},
    }


def _one_as_data(finding: Finding) -> dict[str, object]:
    data: dict[str, object] = {
        "name": finding.check.name,
        "neededFor": finding.check.needed_for,
        "works": None if finding.untried else finding.works,
    }
    if finding.untried:
        data["needs"] = finding.untried
    if finding.refusal is not None:
        data |= {"call": finding.refusal.call, "errno": finding.refusal.errno}
    if finding.remedy is not None:
        data |= {"cause": finding.remedy.cause, "commands": list(finding.remedy.commands)}
    return data
