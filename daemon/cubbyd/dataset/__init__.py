"""Data sets: examples, read from files."""

from cubbyd.dataset.example import Example, digest_examples, read_examples

__all__ = ["Example", "digest_examples", "read_examples"]
