"""What a run was made with, as a list of facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from lensbench.reporting.run_view import RunView

__all__ = ["provenance_facts"]


def provenance_facts(run: RunView) -> dict[str, object]:
    """Facts to show as a list: the last start's, and the model's."""
    starts, results = run.starts or [{}], run.results
    last = starts[-1]
    git = last.get("git") or {}
    facts = {
        "lensbench": results.lensbench,
        "commit": f"{git.get('commit')}{' with local changes' if git.get('dirty') else ''}" if git else None,
        "started": last.get("time"),
        "starts": len(starts) if len(starts) > 1 else None,
        "taken from earlier runs": _reused(starts),
        "backbone": results.backbone,
        "weights": _weights(results.backbone_origin),
        "precision": results.dtype,
        "device": results.device,
        "machine": ", ".join(str(last[k]) for k in ("cpu", "system") if last.get(k)),
        "cores": last.get("cores"),
        "accelerators": ", ".join(last.get("accelerators") or []),
        "python": last.get("python"),
        "packages": ", ".join(f"{name} {version}" for name, version in (last.get("packages") or {}).items()),
    }
    return {name: value for name, value in facts.items() if value not in (None, "")}


def _reused(starts: Sequence[Mapping[str, object]]) -> str:
    """What all starts together took from the store of finished work."""
    taken: Counter[str] = Counter()
    for start in starts:
        found = start.get("reused")
        taken.update(found if isinstance(found, dict) else {})
    return ", ".join(f"{count:,} {kind}" for kind, count in taken.items())


def _weights(origin: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in origin.items() if isinstance(value, str | int) and value != "")
