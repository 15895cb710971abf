"""Which settings behind a table are not the paper's, said once above it."""

from __future__ import annotations

from lensbench.reporting.tables.placed import PlacedTexts

__all__ = ["other_settings"]


def other_settings(discrepancies: PlacedTexts) -> list[str]:
    """The sentences above a comparison with a paper."""
    told = [(text.removeprefix("other "), where) for text, where in discrepancies.told()]
    if told:
        return [f"Other setting: {'; '.join(f'{text} ({where})' if where else text for text, where in told)}."]
    return ["No setting that the run recorded is other than the paper's."] if discrepancies.numbers else []
