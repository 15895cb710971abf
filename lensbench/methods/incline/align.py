"""One fit of INCLINE: read both sides of the pairs, solve, choose strengths, check, and leave an intervention."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import encode_prompt, render_chat
from lensbench.errors import DataError
from lensbench.jsonio import JsonObject
from lensbench.memory import measure_peak
from lensbench.methods.base import Cost, Progress
from lensbench.methods.corpora.parallel import Pair
from lensbench.methods.incline.check import check_intervention
from lensbench.methods.incline.config import GRID, InclineConfig
from lensbench.methods.incline.fit import Alignment, best_alpha, closeness_curve, solve
from lensbench.methods.incline.intervention import Intervention
from lensbench.methods.incline.pairs import PairCorpora, with_central_behind
from lensbench.methods.incline.sites import read_pooled

__all__ = ["fit_incline"]

Rows = list[list[int]]


def fit_incline(loaded: LoadedBackbone, corpora: PairCorpora, config: InclineConfig, progress: Progress) -> Intervention:
    """Fit INCLINE.

    Raises:
        UsageError: layers outside the model, a missing strength, a site the architecture does not have.
        DataError: too few pairs that are short enough.
        RunError: states that are not finite, or an intervention that does not do what it should.
    """
    config.check(tuple(corpora.pairs))
    layers = config.layer_indices(len(loaded.blocks))
    alphas: dict[str, float] = {}
    alignments: dict[str, dict[int, Alignment]] = {}
    measures: dict[str, JsonObject] = {}
    prompts: dict[str, list[int]] = {}
    central = _Reader(loaded, config, layers)
    items = tokens = 0
    started = time.perf_counter()
    with measure_peak(loaded.device) as memory:
        for language, pairs in corpora.pairs.items():
            held_out = config.n_dev if config.alpha_of(language) is None else 0
            sources, targets = _rows(loaded, language, pairs, config, held_out)
            n = len(sources) - held_out
            with progress.stage(f"reading {len(sources)} pairs {language}-{corpora.central}", 2 * len(sources)) as advance:
                x = _Reader(loaded, config, layers).read(sources, advance)
                y = central.read(targets, advance)
            alignments[language] = {i: solve(x[i][:n], y[i][:n], ridge=config.ridge) for i in x}
            alphas[language], measures[language] = _strength(language, x, y, n, alignments[language], config)
            progress.notify(f"incline: {language}: {n} pairs, alpha {alphas[language]:g}")
            prompts[language] = sources[0]
            items += n
            tokens += sum(map(len, sources)) + sum(map(len, targets))
    made = Intervention(
        loaded.backbone.backbone, loaded.checkpoint.digest, corpora.central, config.site, config.values, alphas, alignments
    )
    for language, prompt in prompts.items():
        check_intervention(loaded, made, language, prompt)
    weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    seconds = time.perf_counter() - started
    cost = Cost(
        wall_seconds=seconds,
        gpu_seconds=seconds if loaded.device.type == "cuda" else None,
        peak_bytes=loaded.added_bytes(memory.peak_bytes),
        floor_bytes=weights,
        trainable_parameters=0,
        total_parameters=sum(p.numel() for p in loaded.model.parameters()),
        training_items=items,
        training_tokens=tokens,
        steps=0,
    )
    made.card = {
        "languages": list(corpora.languages),
        "config": config.model_dump(mode="json"),
        "data": sorted({f"{key} from {o.kind} {o.name}" for key, o in corpora.origins.items()}),
        "cost": cost.as_dict(),
        "fit": measures,
    }
    return made


class _Reader:
    """States of rows; the same rows asked for again (English beside several languages) are not read again."""

    def __init__(self, loaded: LoadedBackbone, config: InclineConfig, layers: Sequence[int]) -> None:
        self._loaded, self._config, self._layers = loaded, config, layers
        self._last: tuple[Rows, dict[int, Tensor]] | None = None

    def read(self, rows: Rows, advance: Any) -> dict[int, Tensor]:
        if self._last is not None and self._last[0] == rows:
            advance(len(rows))
            return self._last[1]
        config = self._config
        states = read_pooled(
            self._loaded, rows, config.site, self._layers, config.pool, batch_size=config.batch_size, advance=advance
        )
        self._last = (rows, states)
        return states


def _rows(
    loaded: LoadedBackbone, language: str, pairs: Sequence[Pair], config: InclineConfig, held_out: int
) -> tuple[Rows, Rows]:
    """Token ids of both sides of the first pairs that are short enough; the held-out ones come last.

    Raises:
        DataError: not enough of them.
    """
    wanted = None if config.n_pairs is None else config.n_pairs + held_out
    sources: Rows = []
    targets: Rows = []
    for pair in pairs:
        if len(sources) == wanted:
            break
        # Every second pair of those that are taken, as the released code counts.
        made = with_central_behind(pair) if config.concat_trick and len(sources) % 2 else pair
        source, target = (_encode(loaded, text, config) for text in (made.source, made.target))
        if config.max_tokens is None or max(len(source), len(target)) <= config.max_tokens:
            sources.append(source)
            targets.append(target)
    least = held_out + 1 if wanted is None else wanted
    if len(sources) < least:
        raise DataError(
            f"'{language}': {least} pairs of at most {config.max_tokens} tokens per side were requested, found {len(sources)}",
            "Request fewer with n_pairs, or allow longer ones with max_tokens.",
        )
    return sources, targets


def _encode(loaded: LoadedBackbone, text: str, config: InclineConfig) -> list[int]:
    if config.text == "chat":
        text = render_chat(loaded.tokenizer, [{"role": "user", "content": text}], loaded.backbone.system_text)
    return encode_prompt(loaded.tokenizer, text)


def _strength(
    language: str,
    source: Mapping[int, Tensor],
    target: Mapping[int, Tensor],
    n: int,
    alignments: Mapping[int, Alignment],
    config: InclineConfig,
) -> tuple[float, JsonObject]:
    """The strength of a language, given or chosen on the pairs from `n` on, and what is worth keeping about the fit."""
    measures: JsonObject = {
        "pairs": n,
        "rank": {str(i): len(found.basis) for i, found in alignments.items()},
        # 0 says that W maps the source states onto the central ones; with fewer pairs than dimensions it must be near 0.
        "residual": {str(i): _residual(found(source[i][:n]), target[i][:n]) for i, found in alignments.items()},
    }
    given = config.alpha_of(language)
    if given is not None:
        return given, measures
    mapped = {i: found(source[i][n:]) for i, found in alignments.items()}
    curves = [closeness_curve(source[i][n:], target[i][n:], mapped[i], GRID) for i in alignments]
    alpha, curve = best_alpha(curves, GRID)
    measures["dev"] = {
        "pairs": len(next(iter(source.values()))) - n,
        "residual": {str(i): _residual(mapped[i], target[i][n:]) for i in alignments},
        "alpha": list(GRID),
        "mean_cosine": [round(float(value), 6) for value in curve],
    }
    return alpha, measures


def _residual(mapped: Tensor, target: Tensor) -> float:
    """|X W - Y| as a share of |Y|."""
    return round(float((mapped.double() - target.double()).norm() / target.double().norm().clamp(min=1e-300)), 6)
