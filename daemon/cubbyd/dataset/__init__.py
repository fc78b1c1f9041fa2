"""Data sets: examples, read from files."""

from cubbyd.dataset.example import Example, read_examples

__all__ = ["Example", "read_examples"]
