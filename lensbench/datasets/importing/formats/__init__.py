"""The formats that can be imported. A new one is a module here that defines a `Format`, and a place in this list.

The first format that recognises a file gets it, so the narrow ones come before those that look at little.
"""

from lensbench.datasets.importing.formats.alpaca import ALPACA_DEMO
from lensbench.datasets.importing.formats.aya import AYA
from lensbench.datasets.importing.formats.bactrian import BACTRIAN
from lensbench.datasets.importing.formats.cluewsc import CLUEWSC
from lensbench.datasets.importing.formats.cmmlu import CMMLU
from lensbench.datasets.importing.formats.copa import COPA
from lensbench.datasets.importing.formats.exams import EXAMS
from lensbench.datasets.importing.formats.hub_tables import HUB_TABLES
from lensbench.datasets.importing.formats.jmmlu import JMMLU
from lensbench.datasets.importing.formats.lens_manipulation import LENS_MANIPULATION
from lensbench.datasets.importing.formats.lens_probing import LENS_PROBING
from lensbench.datasets.importing.formats.mgsm import MGSM
from lensbench.datasets.importing.formats.mmlu_arabic import MMLU_ARABIC
from lensbench.datasets.importing.formats.mmlu_english import MMLU_ENGLISH
from lensbench.datasets.importing.formats.mt_bench import MT_BENCH
from lensbench.datasets.importing.formats.multiq import MULTIQ
from lensbench.datasets.importing.formats.not_yet import NOT_YET
from lensbench.datasets.importing.formats.ntrex import NTREX
from lensbench.datasets.importing.formats.story_cloze import STORY_CLOZE
from lensbench.datasets.importing.formats.vicuna import VICUNA
from lensbench.datasets.importing.formats.xcopa import XCOPA
from lensbench.datasets.importing.formats.xwinograd import XWINOGRAD
from lensbench.datasets.importing.model import Format

__all__ = ["FORMATS"]

FORMATS: tuple[Format, ...] = (
    NOT_YET,
    COPA,
    XCOPA,
    XWINOGRAD,
    CLUEWSC,
    STORY_CLOZE,
    MMLU_ENGLISH,
    CMMLU,
    MMLU_ARABIC,
    JMMLU,
    EXAMS,
    MT_BENCH,
    VICUNA,
    MULTIQ,
    NTREX,
    MGSM,
    LENS_PROBING,
    LENS_MANIPULATION,
    AYA,
    ALPACA_DEMO,
    BACTRIAN,
    HUB_TABLES,
)
