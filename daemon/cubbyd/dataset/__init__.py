"""Data sets: examples, read from files of many kinds, looked at, divided, masked and written.

    source -> Example, one a line -> stats -> balance -> split -> anonymize, export, validate

Everything here streams, or keeps a few hundred bytes an example. What reads a mailbox, trains or draws is imported by the
command that needs it.
"""

from cubbyd.dataset.example import SYNTHETIC, Example, digest_examples, example_to_json, read_examples
from cubbyd.dataset.writer import write_examples

__all__ = ["SYNTHETIC", "Example", "digest_examples", "example_to_json", "read_examples", "write_examples"]
