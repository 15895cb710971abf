"""Numbers as a table prints them: shares in percent, everything with the digits that the spec names."""

from __future__ import annotations

from collections.abc import Mapping

from lensbench.metrics import Unit
from lensbench.reporting.tables.schema import Digits

__all__ = ["Units", "count", "duration", "mebibytes", "percent", "states_text"]


class Units:
    """How the numbers of one measure are printed.

    Args:
        digits: Of the table; a unit that it does not name has its own.
    """

    def __init__(self, unit: Unit, digits: Digits) -> None:
        own: int = getattr(digits, unit.name, unit.digits)
        self.digits = own if digits.every is None else digits.every
        self.scale = unit.scale
        self.name = unit.printed

    def scaled(self, value: float | None) -> float | None:
        """In printed units, free of the dust that scaling leaves."""
        return None if value is None else round(self.scale * value, 10)

    def text(self, value: float) -> str:
        return _signless_zero(f"{self.scale * value:.{self.digits}f}")

    def difference(self, value: float) -> str:
        """A difference as it stands alone in a cell: `+1.50`, `−1.50`, `±0.00`."""
        text = self.signed(value)
        return text if text.startswith(("+", "−")) else f"±{text}"

    def signed(self, value: float) -> str:
        """With its sign; a change that rounds to nothing has none."""
        text = f"{self.scale * value:+.{self.digits}f}".replace("-", "−")
        return text.lstrip("+−") if float(text.lstrip("+−")) == 0 else text

    def range(self, low: float | None, high: float | None, *, sign: bool = False) -> str:
        if low is None or high is None:
            return ""
        show = self.signed if sign else self.text
        return f"[{show(low)}, {show(high)}]"


def _signless_zero(text: str) -> str:
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def duration(seconds: float) -> str:
    """`2m08s`, as the paper prints times; below a minute, with a digit."""
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s"


def percent(share: float, digits: Digits) -> str:
    return f"{100 * share:.{digits.share if digits.every is None else digits.every}f}%"


def mebibytes(count: float) -> str:
    return f"{count / 2**20:,.0f} MiB"


def count(value: float) -> str:
    return f"{value:,.0f}"


def states_text(states: Mapping[str, int]) -> str:
    """`3 not finite, 1 empty`: what is in no mean, or in it as a fault."""
    return ", ".join(f"{number} {state.replace('_', ' ')}" for state, number in sorted(states.items()) if state != "ok")
