"""``nsisolate doctor``: what this machine allows, tried for real, and what lifts what it does not."""

from __future__ import annotations

from .arguments import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

HELP = """\
USAGE:
   nsisolate doctor [--json]

Tries, in throw-away processes, what isolated tests and containers need, and prints for each whether it works.
Where it does not, the call that failed follows, with the likely cause and the commands that lift it.
Ends with 0 if isolated tests can run here, and with 1 if not.

OPTIONS:
   --json    print it as JSON
"""


def main(argv: list[str], _settings: Settings) -> int:
    """Run the verb; return the exit code."""
    from ..runtime.diagnosis import report

    given, _positional = read(argv, flags=("--json",), most=0)
    findings = report.diagnose()
    if "--json" in given:
        import json

        print(json.dumps(report.as_data(findings), indent=2))
    else:
        print(report.as_text(findings), end="")
    return 0 if report.can_isolate(findings) else 1
