"""Numbers that host and template agree on."""

from __future__ import annotations

import signal

#: How much of one captured section a report carries, in characters.
SECTION_LIMIT = 8 * 1024 * 1024

#: The longest message of a test, in bytes: a report with full sections of output.
RESULT_LIMIT = 96 * 1024 * 1024

#: The most messages of one test, and all of their bytes: warnings and subtests are kept to the session's end.
MESSAGES_LIMIT = 200_000
ALL_RESULTS_LIMIT = 1024 * 1024 * 1024

#: The signal at which a process in a sandbox writes every thread's stack to the stacks file.
STACKS_SIGNAL = int(signal.SIGRTMAX) - 1

#: The signal at which a test that is measured sends its coverage to the host.
COVERAGE_SIGNAL = int(signal.SIGRTMAX) - 2
