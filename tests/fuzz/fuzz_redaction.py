"""Fuzzes the masking: any text is masked without an exception, in time, and nothing but what was found is changed.

    python -m tests.fuzz.fuzz_redaction --minutes 10      # from the repository's root
    python -m tests.fuzz.fuzz_redaction --replay FILE...  # check files again, without atheris

It needs what fuzz_message needs, and cubbyd's extra `redaction`: pip install atheris '.[redaction]'. It begins with the texts
of the golden mails and the templates in tests/redaction/validation; those of the holdout are left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from tests.fuzz.engine import Target, main
from tests.fuzz.redaction_mutations import RedactionMutator


def _load() -> Callable[[bytes], float]:
    from tests.fuzz.redaction_checks import check_redaction, redactor

    redactor()  # reading the lists of names is no mail's fault
    return check_redaction


def _seeds() -> Sequence[bytes]:
    from tests.fuzz.redaction_checks import redaction_seeds

    return redaction_seeds()


def _allowed_seconds(size: int) -> float:
    from tests.fuzz.redaction_checks import allowed_seconds

    return allowed_seconds(size)


TARGET = Target(
    module="tests.fuzz.fuzz_redaction",
    instrument=("cubbyd.redaction",),
    load=_load,
    seeds=_seeds,
    mutator=RedactionMutator,
    allowed_seconds=_allowed_seconds,
    max_input_bytes=8_192,
)


if __name__ == "__main__":
    sys.exit(main(TARGET, (__doc__ or "").partition("\n")[0]))
