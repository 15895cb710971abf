"""Training data of SDRRL: the same questions in several languages, and the tools of its stages, checked before models load."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lensbench.datasets.sources import DataSource, Origin
from lensbench.errors import DataError
from lensbench.grading.fidelity import Identifier, load_identifier
from lensbench.languages import get_language
from lensbench.methods.corpora.parallel import load_parallel
from lensbench.methods.qalign.corpora import shares
from lensbench.methods.sdrrl.config import SdrrlConfig
from lensbench.methods.sdrrl.lexicon import Lexicon, read_lexicon
from lensbench.methods.sdrrl.translators import Translator, make_translator
from lensbench.methods.sft.instruction_data import BACTRIAN

__all__ = ["SdrrlCorpora", "load_sdrrl"]


@dataclass(frozen=True)
class SdrrlCorpora:
    """Questions by id, chosen and shared out, and the tools of the stages."""

    languages: tuple[str, ...]
    """The central language first."""
    questions: Mapping[str, Mapping[str, str]]
    """Language -> id -> question, for the chosen ids."""
    own: Mapping[str, Sequence[str]]
    """Target language -> ids of the questions the backbone answers itself; shared by all targets with `n_scope=per_target`."""
    parallel: Mapping[str, Sequence[str]]
    """Target language -> ids of the parallel part, none of which is in `own`."""
    rows: Mapping[str, int]
    """Ids in every language, those left out because two sides are equal, and those chosen for either part."""
    origins: Mapping[str, Origin]
    identifier: Identifier
    translator: Translator | None = None
    lexicons: Mapping[str, Lexicon] = field(default_factory=dict)
    """Lexicon by target language; empty without code-switching."""

    @property
    def asked(self) -> list[str]:
        """Ids of the questions the backbone answers, each once."""
        return list(dict.fromkeys(i for ids in self.own.values() for i in ids))

    def texts(self) -> Iterator[str]:
        """Every text that is known before the fit: questions, not the answers that are yet to be made."""
        for sides in self.questions.values():
            yield from sides.values()


def load_sdrrl(
    source: DataSource, languages: tuple[str, ...], config: SdrrlConfig, revisions: Mapping[str, str] | None = None
) -> SdrrlCorpora:
    """Choose the questions, and find translator, lexicon and identifier.

    Args:
        languages: Codes, the central language first.

    Raises:
        UnavailableError: the source lacks Bactrian-X rows in a language; or a translator's model or key, or the identifier.
        DataError: fewer questions in all languages than asked for; or a wrong line in a lexicon or a file of translations.
        UsageError: such a file is missing, or the warm-up would take every step.
    """
    central, *targets = languages
    translator = make_translator(config, targets)
    lexicons = {}
    if config.code_switch > 0:
        lexicons = {code: read_lexicon(Path(str(config.lexicon).replace("{language}", code))) for code in targets}
    identifier = load_identifier(config.identifier)
    pairs, origins = load_parallel(source, BACTRIAN, languages, revisions)
    sides = {code: {pair.id: pair.source for pair in pairs[code]} for code in targets}
    sides[central] = {pair.id: pair.target for code in targets for pair in pairs[code]}
    common = [pair.id for pair in pairs[targets[0]] if all(pair.id in sides[code] for code in targets)]
    usable = [i for i in common if all(sides[code][i] != sides[central][i] for code in targets)]
    n, parallel = config.n, config.parallel_items
    if n + parallel > len(usable):
        names = ", ".join(get_language(code).name for code in languages)
        raise DataError(
            f"{n} questions and {parallel} others for the parallel part were requested in {names}; "
            f"{origins[f'{BACTRIAN}/{central}'].name} has {len(usable)}: {len(common)} ids are in all of these languages, "
            f"{len(common) - len(usable)} of them with the same text in two",
            f"n={len(usable) // 2} would do." if len(usable) > 1 else "Rows are matched by their id.",
        )
    chosen = random.Random(config.seed).sample(usable, n + parallel)
    config.steps(n * len(config.active_combos) + parallel)
    return SdrrlCorpora(
        languages=languages,
        questions={code: {i: sides[code][i] for i in chosen} for code in languages},
        own=_shared_out(chosen[:n], targets, config.n_scope),
        parallel=_shared_out(chosen[n:], targets, config.n_scope),
        rows={"in_all_languages": len(common), "equal": len(common) - len(usable), "chosen": n, "chosen_parallel": parallel},
        origins=origins,
        identifier=identifier,
        translator=translator,
        lexicons=lexicons,
    )


def _shared_out(ids: list[str], targets: Sequence[str], scope: str) -> dict[str, list[str]]:
    if scope == "per_target":
        return dict.fromkeys(targets, ids)
    found, start = {}, 0
    for code, count in zip(targets, shares(len(ids), len(targets)), strict=True):
        found[code] = ids[start : start + count]
        start += count
    return found
