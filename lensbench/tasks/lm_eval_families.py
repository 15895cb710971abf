"""Families of lm-eval's tasks: which are in one language, and which have a language code in their names, and where.

A language is never read from the end of a name by itself: `agieval_lsat_ar` is English ("analytical reasoning"). Only what
stands here, in the file's own `metadata.language`, or in its `dataset_name` says what language a task is in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any

from lensbench.languages import UNKNOWN, languages

__all__ = ["UNKNOWN", "language_of_code", "lm_eval_language", "split_name"]

_IN_SEVERAL = (
    "xcopa",
    "xwinograd",
    "xstorycloze",
    "xstory_cloze",
    "xnli",
    "paws",
    "pawsx",
    "xquad",
    "belebele",
    "m_mmlu",
    "mmmlu",
    "openai_mmmlu",
    "global_mmlu",
    "global_mmlu_full",
    "mmlu_prox",
    "mmlu_prox_lite",
    "arc",
    "arc_challenge_mt",
    "hellaswag",
    "truthfulqa",
    "truthfulqa-multi_gen",
    "truthfulqa-multi_mc1",
    "truthfulqa-multi_mc2",
    "lambada_openai_mt",
    "lambada_openai_mt_stablelm",
    "mgsm",
    "mgsm_direct",
    "mgsm_en_cot",
    "mgsm_native_cot",
    "mgsm_cot_native",
    "afrimgsm",
    "afrimgsm_direct",
    "afrimgsm_en_cot",
    "afrimgsm_translate",
    "afrimgsm_cot",
    "afrimmlu",
    "afrimmlu_direct",
    "afrixnli",
    "afrixnli_en_direct",
    "afrixnli_native_direct",
    "tydiqa_goldp",
    "multiblimp",
    "indicxnli",
    "xlsum",
    "global_piqa_nonparallel_cloze",
    "global_piqa_nonparallel_mc",
    "include_base_44",
    "multiq",
    "ntrex",
    "copa",
    "bactrian_x",
)
"""Families whose names go on with `_` and a code: `xcopa_sw`, `global_mmlu_full_sw_anatomy`, `truthfulqa_zh_mc1`."""

_IN_ONE = {
    "cmmlu": "zh",
    "ceval-valid": "zh",
    "ceval": "zh",
    "zhoblimp": "zh",
    "tmlu": "zh",
    "tmmluplus": "zh",
    "aclue": "zh",
    "kmmlu": "ko",
    "kobest": "ko",
    "haerae": "ko",
    "csatqa": "ko",
    "click": "ko",
    "kormedmcqa": "ko",
    "kbl": "ko",
    "hrm8k": "ko",
    "ja_leaderboard": "ja",
    "jfinqa": "ja",
    "arabicmmlu": "ar",
    "aexams": "ar",
    "acva": "ar",
    "arab_culture": "ar",
    "alghafa": "ar",
    "aradice": "ar",
    "turkishmmlu": "tr",
    "copal_id": "id",
    "agieval_gaokao": "zh",
    "agieval_jec": "zh",
    "agieval_logiqa_zh": "zh",
    "french_bench": "fr",
    "evalita": "it",
    "evalita-mp": "it",
    "noticia": "es",
    "escola": "es",
}
"""Families in one language, whatever their names end in."""

_CODE_PLACES = ("language", "lang", "language_code")


def lm_eval_language(name: str, config: Mapping[str, Any] | None = None) -> str | None:
    """The canonical code of a task's language; None where nothing tells it.

    Args:
        name: The task's name in lm-eval.
        config: Its file or its entry of a results file: `metadata.language` comes first, `dataset_name` last.
    """
    config = config or {}
    metadata = config.get("metadata")
    if isinstance(metadata, Mapping):
        for place in _CODE_PLACES:
            if isinstance(told := metadata.get(place), str):
                return language_of_code(told)
    found = split_name(name)
    if found is not None:
        return found[1]
    dataset = config.get("dataset_name")
    return language_of_code(dataset) if isinstance(dataset, str) else None


def split_name(name: str) -> tuple[str, str] | None:
    """Task and language of a name of a known family: (`xcopa`, `sw`) of `xcopa_sw`; of one in a single language the whole name.

    None where the family is not known, or the code is of no language in the table.
    """
    for family in sorted(_IN_ONE, key=len, reverse=True):
        if name == family or name.startswith((family + "_", family + "-")):
            return name, _IN_ONE[family]
    for family in sorted(_IN_SEVERAL, key=len, reverse=True):
        if not name.startswith(family + "_"):
            continue
        parts = name[len(family) + 1 :].split("_")
        for count in (2, 1):
            code = language_of_code("_".join(parts[:count])) if len(parts) >= count else None
            if code is not None:
                return "_".join((family, *parts[count:])), code
        return None
    return None


def language_of_code(code: str) -> str | None:
    """The canonical code behind any code or English name that the table knows; None for what two languages share."""
    return _codes().get(re.sub(r"[-\s]", "_", code.strip()).lower())


def _codes() -> dict[str, str]:
    return _code_table(tuple(languages()))


@functools.cache
def _code_table(known: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for code, language in languages().items():
        theirs = [language.iso3, language.glotlid, language.nllb, language.name, *language.accepts[:1]]
        for other in language.codes.values():
            theirs += [other] if isinstance(other, str) else list(other)
        for their in theirs:
            found.setdefault(their.lower().replace("-", "_").replace(" ", "_"), set()).add(code)
    table = {name: next(iter(codes)) for name, codes in found.items() if len(codes) == 1}
    return {**table, **{code: code for code in known}}
