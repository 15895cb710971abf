"""How large a loss in English counts as none, as a caller gives it."""

from __future__ import annotations

from lensbench.errors import UsageError

__all__ = ["english_margins"]


def english_margins(given: float | str | None) -> dict[str, float]:
    """Question of an endpoint -> margin in the unit of the value; only those that are named.

    Args:
        given: Points of accuracy, or a text such as "accuracy=2,language=1,rating=0.2"; None names none.

    Raises:
        UsageError: another type, an unknown name, or no number above 0.
    """
    from lensbench.numbers.margins import parse_margins

    if given is None:
        return {}
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise UsageError(
            f"``english_margin`` must be a number or a text, found {given!r}",
            "Example: ``english_margin=2`` or ``english_margin=accuracy=2,rating=0.2``",
        )
    return parse_margins(str(given))
