"""Cost of the stages before the fine-tuning, now or in an earlier start, and its share of the fit's cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from lensbench.backbones.load import LoadedBackbone
from lensbench.jsonio import JsonObject
from lensbench.memory import measure_peak

__all__ = ["StageCost", "Stages"]


@dataclass
class StageCost:
    """One stage; earlier work that was read from the cache is counted as if it had been done now, and said to be earlier."""

    seconds: float = 0.0
    """Wall time, without progress that was read from the cache."""
    cached_seconds: float = 0.0
    """Seconds that the cached texts took when they were made."""
    texts: int = 0
    cached_texts: int = 0
    """Number of texts read from the cache."""
    generated_tokens: int = 0
    """Tokens generated on this machine for all texts, including cached ones."""
    server_tokens: int = 0
    """Written by a server, as it counted them, for all texts."""
    translated_characters: int = 0
    """Source characters of the translations, cached ones included."""
    on_device: bool = False
    """Whether the time was spent on the backbone's device."""
    usd: float | None = None
    """What a paid translation cost in this start; None where nothing is paid, or no price is known."""


@dataclass
class Stages:
    """All stages of a fit, in order."""

    costs: dict[str, StageCost] = field(default_factory=dict)
    peak_bytes: int | None = None
    """Highest of all stages, as `Cost.peak_bytes` has it."""

    @contextmanager
    def measured(self, name: str, loaded: LoadedBackbone) -> Iterator[StageCost]:
        """A stage while it runs: its peak is taken here, the rest is filled in by the stage."""
        cost = self.costs.setdefault(name, StageCost())
        with measure_peak(loaded.device) as memory:
            yield cost
        peak = loaded.added_bytes(memory.peak_bytes)
        if peak is not None:
            self.peak_bytes = max(peak, self.peak_bytes or 0)

    def added_to(self, cost: Mapping[str, Any]) -> JsonObject:
        """The cost of a fine-tuning, as a card has it, with the stages in front of it."""
        own = list(self.costs.values())
        total = {
            **cost,
            "wall_seconds": cost["wall_seconds"] + sum(c.seconds + c.cached_seconds for c in own),
            "cached_seconds": sum(c.cached_seconds for c in own),
            "generated_tokens": sum(c.generated_tokens for c in own),
            "server_tokens": sum(c.server_tokens for c in own),
            "translated_texts": sum(c.texts for name, c in self.costs.items() if name.startswith("translations")),
            "translated_characters": sum(c.translated_characters for c in own),
            "stages": {**{name: asdict(c) for name, c in self.costs.items()}, "fine-tuning": {"seconds": cost["wall_seconds"]}},
        }
        if cost["gpu_seconds"] is not None:
            total["gpu_seconds"] = cost["gpu_seconds"] + sum(c.seconds + c.cached_seconds for c in own if c.on_device)
        if cost["peak_bytes"] is not None and self.peak_bytes is not None:
            total["peak_bytes"] = max(cost["peak_bytes"], self.peak_bytes)
        return total
