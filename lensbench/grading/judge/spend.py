"""Cost of judging, and the limit that is checked before a request is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lensbench.errors import UsageError
from lensbench.grading.judge.schema import Prices

__all__ = ["Budget", "Usage", "cost_usd"]


_MOST_BYTES = 256
"""No token of a text of words stands for more bytes; the longest in use are runs of blanks."""


@dataclass(frozen=True)
class Usage:
    """Tokens as the server counted them."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    """Prompt tokens billed at the cached price."""

    @classmethod
    def read(cls, content: Any) -> Usage | None:
        """From a reply's `usage`; None where it is missing or not in the known shape."""
        try:
            details = content.get("prompt_tokens_details") or {}
            found = cls(int(content["prompt_tokens"]), int(content["completion_tokens"]), int(details.get("cached_tokens") or 0))
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
            return None
        # Counts that cannot be would make a request look cheaper than it was, or even give money back. No prompt has no token.
        possible = found.prompt_tokens > 0 and found.completion_tokens >= 0 and 0 <= found.cached_tokens <= found.prompt_tokens
        return found if possible else None

    def believable(self, prompt_bytes: int, reply_bytes: int, max_tokens: int) -> bool:
        """Whether the counts can be those of a request and its reply; if not, the request counts with the most it can cost.

        Args:
            prompt_bytes: Of the messages, in UTF-8.
            reply_bytes: Of the text that came back.
        """
        few = self.prompt_tokens < prompt_bytes / _MOST_BYTES or self.completion_tokens < reply_bytes / _MOST_BYTES
        # Servers add instructions of their own, and count reasoning.
        many = self.prompt_tokens > 10 * prompt_bytes + 100_000 or self.completion_tokens > 10 * max_tokens + 100_000
        return not few and not many


def cost_usd(usage: Usage, prices: Prices, *, batch: bool = False) -> float:
    """USD for one request."""
    cached = prices.input if prices.cached_input is None else prices.cached_input
    micro = (
        (usage.prompt_tokens - usage.cached_tokens) * prices.input
        + usage.cached_tokens * cached
        + usage.completion_tokens * prices.output
    )
    return micro / 1e6 * (prices.batch_factor if batch else 1.0)


@dataclass
class Budget:
    """Money spent and money promised to requests under way.

    A request reserves the most it can cost before it is sent; what it really cost takes the reservation's place.
    """

    prices: Prices | None
    max_usd: float | None = None
    spent_usd: float = 0.0
    unknown: int = 0
    """Requests whose cost nobody knows (a lost reply, or one without usage): they count with the most they can have cost."""
    _reserved: float = field(default=0.0, repr=False)
    _under_way: int = field(default=0, repr=False)
    """Counted apart: sums of floats need not come back to 0, and a request would then be waited for that is long over."""

    def __post_init__(self) -> None:
        if self.max_usd is not None and self.prices is None:
            raise UsageError("``max_usd`` needs prices, and this judge has none", "Give its YAML a `prices:` table.")
        if self.max_usd is not None and not 0 < self.max_usd < float("inf"):
            raise UsageError(f"``max_usd`` must be a number above 0, found {self.max_usd}")

    def most(self, prompt_tokens: int, max_tokens: int) -> float:
        """The most a request can cost, in USD."""
        return cost_usd(Usage(prompt_tokens, max_tokens), self.prices) if self.prices else 0.0

    def fits(self, usd: float) -> bool:
        return self.max_usd is None or self.spent_usd + self._reserved + usd <= self.max_usd

    @property
    def waiting_could_help(self) -> bool:
        """Whether there are unfinished requests that may cost less than reserved."""
        return self._under_way > 0

    def reserve(self, usd: float) -> None:
        self._reserved += usd
        self._under_way += 1

    def settle(self, reserved: float, actual: float) -> None:
        """A request is over.

        Args:
            actual: What it cost in USD; 0 when it certainly was not billed.
        """
        self._under_way = max(0, self._under_way - 1)
        self._reserved = max(0.0, self._reserved - reserved) if self._under_way else 0.0
        self.spent_usd += actual

    def settle_unknown(self, reserved: float) -> None:
        self.unknown += 1
        self.settle(reserved, reserved)
