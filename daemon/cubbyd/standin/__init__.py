"""A stand-in for a hosted classifier, on loopback, over real sockets: for tests, and for rehearsals at no cost.

It refuses every request that the vendor's own types do not allow, answers by words, remembers what it was sent, and fails in
whatever way it is told to. It needs the package openai for those types, and sends nothing anywhere.
"""

from cubbyd.standin.fault import Fault
from cubbyd.standin.server import Recorded, Standin

__all__ = ["Fault", "Recorded", "Standin"]
"""The stand-in, the ways in which it can fail, and what it remembers of a request."""
