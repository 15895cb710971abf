"""The layouts of every set that our row definitions name, as its repository has them; the rows are few and made up.

Layouts as public copies of the loaders, READMEs and mirrors have them. Not confirmed from there, and made as such sets usually
are: the names of the data files of MultiQ and of the Japanese and Korean MT-Bench sets, and the folders beside scripts.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hub_server import PARQUET, HubServer, Repository

LANGUAGES = ("en", "zh", "ja", "ko", "ar", "bn", "sw")
_WORDS = {
    "en": ("the cat", "a river", "my friend", "the old door", "rain", "her letter", "two birds"),
    "zh": ("那只猫", "一条河", "我的朋友", "那扇旧门", "雨", "她的信", "两只鸟"),
    "ja": ("その猫", "川", "私の友達", "古い扉", "雨", "彼女の手紙", "二羽の鳥"),
    "ko": ("그 고양이", "강", "내 친구", "낡은 문", "비", "그녀의 편지", "새 두 마리"),
    "ar": ("القطة", "نهر", "صديقي", "الباب القديم", "المطر", "رسالتها", "طائران"),
    "bn": ("বিড়ালটি", "একটি নদী", "আমার বন্ধু", "পুরানো দরজা", "বৃষ্টি", "তার চিঠি", "দুটি পাখি"),
    "sw": ("paka", "mto", "rafiki yangu", "mlango wa zamani", "mvua", "barua yake", "ndege wawili"),
}
_AYA = {"en": "eng", "zh": "zho", "ja": "jpn", "ko": "kor", "ar": "arb", "bn": "ben", "sw": "swa"}
_MMMLU = {"zh": "ZH_CN", "ja": "JA_JP", "ko": "KO_KR", "ar": "AR_XY", "bn": "BN_BD", "sw": "SW_KE"}
_CATEGORIES = ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")

Row = dict[str, Any]


def words(language: str, number: int) -> str:
    known = _WORDS[language]
    return " ".join(known[(number * k + k) % len(known)] for k in range(1, 3 + number % 4))


def xcopa(language: str, i: int) -> Row:
    first, second = words(language, i + 1), words(language, i + 2)
    return {
        "premise": f"{words(language, i)} {i}.",
        "choice1": f"{first}.",
        "choice2": f"{second}!",
        "question": ("cause", "effect")[i % 2],
        "label": i % 2,
        "idx": i,
        "changed": False,
    }


def xwinograd(language: str, i: int) -> Row:
    return {
        "sentence": f"{words(language, i)} _ {i}",
        "option1": words(language, i + 1),
        "option2": words(language, i + 3),
        "answer": str(1 + i % 2),
    }


def xstory_cloze(language: str, i: int) -> Row:
    return {
        "story_id": f"story-{i}",
        **{f"input_sentence_{k}": f"{words(language, i + k)} {k}." for k in range(1, 5)},
        "sentence_quiz1": f"{words(language, i + 5)}.",
        "sentence_quiz2": f"{words(language, i + 6)}.",
        "answer_right_ending": 1 + i % 2,
    }


def m_mmlu(language: str, i: int) -> Row:
    options = {f"option_{x}": words(language, i + k) for k, x in enumerate("abcd", start=1)}
    return {"id": f"subject/test/{i}", "instruction": f"{words(language, i)} {i}?", **options, "answer": "ABCD"[i % 4]}


def mmmlu(language: str, i: int) -> Row:
    options = ["None", "NA", "null", words(language, i)]
    return {
        "": i,
        "Question": f"{words(language, i)} {i}?",
        **dict(zip("ABCD", options, strict=True)),
        "Answer": "ABCD"[i % 4],
        "Subject": "abstract_algebra",
    }


def kmmlu(language: str, i: int) -> Row:
    return {
        "question": f"{words('ko', i)} {i}?",
        "answer": 1 + i % 4,
        **{x: words("ko", i + k) for k, x in enumerate("ABCD")},
        "Category": "Accounting",
        "Human Accuracy": 0.5,
    }


def aya(language: str, i: int) -> Row:
    script = {"en": "English", "zh": "Simplified Chinese"}.get(language, language)
    return {
        "inputs": f"{words(language, i)} {i}?",
        "targets": words(language, i + 5),
        "language": script,
        "language_code": _AYA[language],
        "annotation_type": "original-annotations",
        "user_id": f"u{i}",
    }


def bactrian(language: str, i: int) -> Row:
    given = words(language, i + 1) if i % 3 == 0 else ""
    return {"instruction": f"{words(language, i)} {i}", "input": given, "id": f"alpaca-{i}", "output": words(language, i + 2)}


def multiq(language: str, i: int) -> Row:
    return {"id": f"q{i}", "language": language, "prompt": f"{words(language, i)} {i}?", "domain": "none"}


def mt_bench(language: str, i: int) -> Row:
    return {
        "category": _CATEGORIES[i % 8],
        "turns": [f"{words(language, i)} {i}?", f"{words(language, i + 1)}?"],
        "reference": [words(language, i + 2), words(language, i + 3)] if i % 8 in (2, 3, 4) else [],
    }


def mt_bench_prompts(language: str, i: int) -> Row:
    row = mt_bench("en", i)
    return {"prompt": row["turns"], "reference": row["reference"], "category": row["category"], "prompt_id": 10**15 + i}


def parquet(rows: Sequence[Row]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


def lines(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def table(rows: Sequence[Row], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def card(configs: dict[str, dict[str, str]]) -> bytes:
    """A README whose head names the files of every configuration's splits."""
    head = ["---", "license: other", "configs:"]
    for name, splits in configs.items():
        head += [f"- config_name: {name}", "  data_files:"]
        for split, path in splits.items():
            head += [f"  - split: {split}", f"    path: {path}"]
    return "\n".join([*head, "---", "# A data set", ""]).encode()


SCRIPT = b"import datasets\n\nraise SystemExit('a loading script was run')\n"


def repositories(items: int = 6, texts: int = 820) -> list[Repository]:
    """Every set that `tasks/rows/*.yaml` names on the hub.

    Args:
        items: Rows a language of what is asked.
        texts: Rows a language of what methods learn from.
    """

    def made(shape: Callable[[str, int], Row], language: str, n: int = items) -> list[Row]:
        return [shape(language, i) for i in range(n)]

    def exported(
        shape: Callable[[str, int], Row], codes: dict[str, str], splits: Sequence[str], n: int = items
    ) -> dict[str, bytes]:
        return {f"{code}/{split}/0000.parquet": parquet(made(shape, lang, n)) for lang, code in codes.items() for split in splits}

    def plain(*languages: str) -> dict[str, str]:
        return {language: language for language in languages}

    bactrian_main = {"README.md": b"---\nlicense: cc-by-nc-4.0\n---\n# Bactrian-X\n", "Bactrian-X.py": SCRIPT}
    bactrian_main |= {f"data/{lang}.json.gz": gzip.compress(lines(made(bactrian, lang, texts))) for lang in LANGUAGES}
    cloze_main = {"README.md": b"---\nlanguage: [ar, en]\n---\n", "xstory_cloze.py": SCRIPT}
    for lang in ("ar", "en", "sw", "zh"):
        for part in ("train", "eval"):
            cloze_main[f"spring2016.val.{lang}.tsv.split_20_80_{part}.tsv"] = table(made(xstory_cloze, lang), "\t")
    winograd = {"en": "en", "ja": "jp", "zh": "zh"}
    mmlu, mmlu_splits = plain("en", "zh", "ar", "bn"), ("train", "val", "test")
    multiq_rows = [multiq(lang, i) for lang in LANGUAGES for i in range(items)]
    mmmlu_configs = {"default": {"test": "test/*.csv"}}
    mmmlu_configs |= {code: {"test": f"test/mmlu_{code.replace('_', '-')}.csv"} for code in _MMMLU.values()}
    mmmlu_main = {"README.md": card(mmmlu_configs)}
    mmmlu_main |= {f"test/mmlu_{c.replace('_', '-')}.csv": table(made(mmmlu, lang)) for lang, c in _MMMLU.items()}
    xcopa_configs = {c: {"validation": f"{c}/validation-*", "test": f"{c}/test-*"} for c in ("sw", "zh", "translation-zh")}
    xcopa_main = {"README.md": card(xcopa_configs)}
    for code in xcopa_configs:
        for split in ("validation", "test"):
            language = "en" if code.startswith("translation") else code
            xcopa_main[f"{code}/{split}-00000-of-00001.parquet"] = parquet(made(xcopa, language))
    aya_rows = [aya(lang, i) for i in range(texts) for lang in LANGUAGES]
    aya_main = {
        "README.md": card(
            {"default": {"train": "data/train-*", "test": "data/test-*"}, "demographics": {"train": "demographics/train-*"}}
        ),
        "data/train-00000-of-00002.parquet": parquet(aya_rows[: len(aya_rows) // 2]),
        "data/train-00001-of-00002.parquet": parquet(aya_rows[len(aya_rows) // 2 :]),
        "data/test-00000-of-00001.parquet": parquet(aya_rows[:7]),
        "demographics/train-00000-of-00001.parquet": parquet([{"user_id": "u0", "age_range": [20, 30]}]),
    }
    subjects = ("Accounting", "Biology")
    kmmlu_configs = {s: {split: f"data/{s}-{split}.csv" for split in ("train", "dev", "test")} for s in subjects}
    kmmlu_main = {"README.md": card(kmmlu_configs)}
    kmmlu_main |= {f"data/{s}-{split}.csv": table(made(kmmlu, "ko")) for s in subjects for split in ("train", "dev", "test")}
    return [
        Repository(
            "MBZUAI/Bactrian-X",
            "dataset",
            {"main": bactrian_main, PARQUET: exported(bactrian, plain(*LANGUAGES), ("train",), texts)},
        ),
        Repository(
            "juletxara/xstory_cloze",
            "dataset",
            {"main": cloze_main, PARQUET: exported(xstory_cloze, plain("ar", "en", "sw", "zh"), ("train", "eval"))},
        ),
        Repository(
            "Muennighoff/xwinograd",
            "dataset",
            {
                "main": {
                    "README.md": b"# XWinograd\n",
                    "xwinograd.py": SCRIPT,
                    **{f"test/{code}.jsonl": lines(made(xwinograd, lang)) for lang, code in winograd.items()},
                },
                PARQUET: exported(xwinograd, winograd, ("test",)),
            },
        ),
        Repository(
            "alexandrainst/m_mmlu",
            "dataset",
            {
                "main": {
                    "README.md": b"# M-MMLU\n",
                    "m_mmlu.py": SCRIPT,
                    **{f"data/{lang}/{split}.jsonl": lines(made(m_mmlu, lang)) for lang in mmlu for split in mmlu_splits},
                },
                PARQUET: exported(m_mmlu, mmlu, mmlu_splits),
            },
        ),
        Repository("openai/MMMLU", "dataset", {"main": mmmlu_main}),
        Repository("HAERAE-HUB/KMMLU", "dataset", {"main": kmmlu_main}),
        Repository("cambridgeltl/xcopa", "dataset", {"main": xcopa_main}),
        Repository("CohereLabs/aya_dataset", "dataset", {"main": aya_main}),
        Repository(
            "caro-holt/MultiQ",
            "dataset",
            {"main": {"README.md": b"---\nlicense: cc-by-4.0\n---\n", "MultiQ.csv": table(multiq_rows)}},
        ),
        Repository(
            "HuggingFaceH4/mt_bench_prompts",
            "dataset",
            {
                "main": {
                    "README.md": b"---\nlicense: apache-2.0\n---\n",
                    "data/train-00000-of-00001-0123456789abcdef.parquet": parquet(made(mt_bench_prompts, "en", 80)),
                }
            },
        ),
        Repository("shi3z/MTbenchJapanese", "dataset", {"main": {"question.jsonl": lines(made(mt_bench, "ja", 80))}}),
        Repository(
            "StudentLLM/Korean_MT-Bench_questions", "dataset", {"main": {"questions.jsonl": lines(made(mt_bench, "ko", 80))}}
        ),
    ]


RENAMED = {"CohereForAI/aya_dataset": "CohereLabs/aya_dataset"}


def model_repository(name: str, folder: Path) -> Repository:
    """A model folder as a repository, with what real ones have beside it."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    return Repository(
        name, "model", {"main": {**files, "README.md": b"# A model\n", "original/consolidated.00.pth": b"pickle" * 2000}}
    )


def stand_in(models: dict[str, Path] | None = None, **options: Any) -> HubServer:
    """A hub with all sets, and these models."""
    made = [*repositories(), *(model_repository(name, folder) for name, folder in (models or {}).items())]
    return HubServer(made, renamed=RENAMED, **options)
