"""Fuzzes the message side: any bytes are read without an exception, in time, into clean text within its limits.

    python -m tests.fuzz.fuzz_message --minutes 10        # from the repository's root
    python -m tests.fuzz.fuzz_message --replay FILE...    # check files again, without atheris

It needs atheris, which is none of the project's dependencies, beside cubbyd, in an environment of its own:

    python3.11 -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install atheris . && /tmp/fuzz/bin/python -m tests.fuzz.fuzz_message

It begins with the golden mails and, where there are any, the malformed ones in the folder `torture` of $CUBBYD_SHARED. What
was worth keeping is gone on from the next time (--corpus); inputs that fail lie in --findings with what went wrong in a
file .txt beside them, one for each cause, and the exit status is 1.
The state of the fuzzer is printed now and then: "cov" counts branches, "corp" the inputs that were worth keeping.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tests.fuzz.engine import Target, main
from tests.fuzz.mutations import Mutator


def _load() -> Callable[[bytes], float]:
    from tests.fuzz.checks import check_mail

    return check_mail


def _seeds() -> Sequence[bytes]:
    from tests.fuzz.checks import golden_mails, malformed_mails

    return [*golden_mails(), *malformed_mails()]


def _allowed_seconds(size: int) -> float:
    from tests.fuzz.checks import allowed_seconds

    return allowed_seconds(size)


TARGET = Target(
    module="tests.fuzz.fuzz_message",
    instrument=("cubbyd.message", "email._parseaddr"),
    load=_load,
    seeds=_seeds,
    mutator=Mutator,
    allowed_seconds=_allowed_seconds,
)


if __name__ == "__main__":
    sys.exit(main(TARGET, (__doc__ or "").partition("\n")[0]))
