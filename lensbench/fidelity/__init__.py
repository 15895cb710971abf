"""Which language an answer is in."""

from lensbench.fidelity.identifier import Identified, Identifier, load_identifier

__all__ = ["Identified", "Identifier", "load_identifier"]
