"""Resolution of a task file to one of its languages: the effective lm-eval configuration, and its hash."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from lensbench.datasets.rows import RowsSpec, canonical_json, load_rows_spec
from lensbench.datasets.sources import DataSource
from lensbench.errors import UnavailableError, UsageError
from lensbench.jsonio import JsonObject
from lensbench.languages import Language, get_language
from lensbench.metrics import Metric
from lensbench.safenames import inside
from lensbench.tasks.package_metrics import package_metrics, versions_of
from lensbench.tasks.registry import TaskEntry
from lensbench.tasks.schema import LM_EVAL_FIELDS, Generation, Profile

__all__ = ["TaskInLanguage", "how_to_add", "resolve"]

_TOLD_ONLY = {"title", "about", "wording", "stands_for"}
"""Fields of a profile that change no question and no score."""
_TEMPLATES = ("doc_to_text", "doc_to_choice", "doc_to_target", "gen_prefix")


@dataclass(frozen=True)
class TaskInLanguage:
    """One language of a task under its profile, before any row is read."""

    entry: TaskEntry
    language: Language
    profile: Profile
    config: JsonObject
    """lm-eval's TaskConfig fields, templates with their words filled in."""
    upstream: Path | None
    templates: JsonObject = dataclasses.field(default_factory=dict)
    """The configuration before the words were put in front of its templates."""
    words: JsonObject = dataclasses.field(default_factory=dict)
    """`vars` of the file and the language."""
    metrics: tuple[Metric, ...] = ()
    """Metrics of its `metric_list` that installed packages compute."""

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def title(self) -> str:
        return self.entry.file.title or self.name

    @property
    def split(self) -> str:
        """The split that is scored: lm-eval takes the test split, else the validation split."""
        split = self.config.get("test_split") or self.config.get("validation_split")
        if split is None:
            raise UsageError(f"{self.entry.path}: task '{self.name}' names neither test_split nor validation_split")
        return str(split)

    @property
    def wording(self) -> str | None:
        """Author of the prompts' wording, from the task's file or otherwise its profile."""
        return self.entry.file.wording or self.profile.wording

    @property
    def version(self) -> str:
        return str((self.config.get("metadata") or {}).get("version", "0"))

    @property
    def generation(self) -> Generation:
        """How answers are generated: the profile's way, or else the task's `generation_kwargs`.

        Raises:
            UsageError: neither says how many tokens an answer may have.
        """
        if self.profile.generation is not None:
            return self.profile.generation
        settings = self.config.get("generation_kwargs") or {}
        if "max_gen_toks" not in settings:
            raise UsageError(
                f"{self.entry.path}: task '{self.name}' does not say how long an answer may be",
                "Give generation_kwargs: {max_gen_toks: ...}, or a profile with `generation`.",
            )
        temperature = settings.get("temperature", 0.0) if settings.get("do_sample") else 0.0
        return Generation(max_new_tokens=settings["max_gen_toks"], temperature=temperature)

    def rows_specs(self) -> list[RowsSpec]:
        return [load_rows_spec(name, self.entry.folder) for name in self.entry.file.rows]

    def find_rows(self, source: DataSource) -> RowsSpec | None:
        """The first row definition that the source has in this language; None when it has none."""
        return next((spec for spec in self.rows_specs() if source.has(spec, self.language, self.split)), None)

    def protocol_hash(self) -> str:
        """12 hex digits over everything that decides how items are asked and scored.

        For an upstream definition this covers the bytes of its folder's code and YAML and the version of lm_eval, because
        the question is theirs.
        """
        digest = hashlib.sha256(
            canonical_json(self.profile.model_dump(mode="json", exclude=_TOLD_ONLY, exclude_defaults=True)).encode()
        )
        asked = {k: v for k, v in self.config.items() if not callable(v)}
        digest.update(canonical_json({**asked, "turns": self.entry.file.turns} if self.entry.file.turns else asked).encode())
        if self.metrics:
            digest.update(canonical_json(versions_of(self.metrics)).encode())
        if self.upstream is not None:
            digest.update(importlib.metadata.version("lm_eval").encode())
            for path in sorted(self.upstream.parent.iterdir()):
                if path.suffix in (".py", ".yaml") or path.name.endswith("_yaml"):
                    digest.update(path.read_bytes())
        return digest.hexdigest()[:12]


def resolve(
    entry: TaskEntry, code: str, profile: Profile, *, num_fewshot: int | None = None, max_new_tokens: int | None = None
) -> TaskInLanguage:
    """One language of a task.

    Args:
        num_fewshot: Overrides the task's own number.
        max_new_tokens: Cuts generated answers there and not where profile or task do; another protocol, so another hash.

    Raises:
        UsageError: the task does not have this language; lists those it has. Or its `metric_list` asks for what is not done.
        UnavailableError: a package that has one of its metrics cannot be imported.
    """
    if code not in entry.file.languages:
        raise UsageError(
            f"task '{entry.name}' has no language '{code}'",
            f"It has: {', '.join(sorted(entry.file.languages))}. {how_to_add(entry, code)}",
        )
    language = get_language(code)
    own = entry.file.languages[code]
    upstream = _upstream_path(own.upstream) if own.upstream else None
    config: JsonObject = {}
    if upstream is None:
        config.update({k: v for k in LM_EVAL_FIELDS if (v := getattr(entry.file, k)) is not None})
    else:
        config.update(_read_upstream(upstream))
        # The file still says where rows and splits are; the question itself stays upstream's.
        for key in ("test_split", "validation_split", "training_split", "fewshot_split", "metadata"):
            if (value := getattr(entry.file, key)) is not None:
                config[key] = value
    config.update({k: v for k in LM_EVAL_FIELDS if (v := getattr(own, k)) is not None})
    words = {"language": language.name, **entry.file.vars, **own.vars}
    templates = dict(config)
    if upstream is None and (entry.file.rows or words.keys() - {"language"}):
        config = _fill_words(config, words)
    if num_fewshot is not None:
        config["num_fewshot"] = num_fewshot
    config["task"] = f"{entry.name}_{code}" if entry.file.rows else entry.name
    if entry.file.rows:
        config["dataset_path"] = entry.file.rows[0]
        config["dataset_name"] = code
    metrics = package_metrics(config.get("metric_list"), profile, entry.path) if upstream is None else ()
    task = TaskInLanguage(entry, language, profile, config, upstream, templates, {**entry.file.vars, **own.vars}, metrics)
    if max_new_tokens is None or not profile.generates:
        return task
    generation = task.generation.model_copy(update={"max_new_tokens": max_new_tokens})
    return dataclasses.replace(task, profile=profile.model_copy(update={"generation": generation}))


def how_to_add(entry: TaskEntry, code: str) -> str:
    """What to do where a task does not have a language."""
    return (
        f"A language is one line in {entry.path.name}, such as `{code}: {{}}`. For a file that is not yours, put a copy with "
        f"that line into an ``include`` folder; `lensbench tasks show {entry.name} -p {entry.file.profile}` prints the file."
    )


def _fill_words(config: JsonObject, words: JsonObject) -> JsonObject:
    """Put the words in front of every template as `{% set %}`: plain Jinja, so an export runs in lm-eval unchanged."""
    prefix = "".join(f"{{% set {name} = {json.dumps(value, ensure_ascii=False)} %}}" for name, value in words.items())
    filled = dict(config)
    for key in _TEMPLATES:
        value = filled.get(key)
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            filled[key] = prefix + value
    return filled


def _upstream_path(name: str) -> Path:
    found = importlib.util.find_spec("lm_eval")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError("the package 'lm_eval' is missing", "pip install 'lensbench[engines]'")
    home = Path(found.submodule_search_locations[0]) / "tasks"
    # What lies elsewhere is no code of an installed package.
    path = inside(home, home / name)
    if not path.is_file():
        version = importlib.metadata.version("lm_eval")
        raise UnavailableError(
            f"the installed lm_eval {version} has no task definition {name}", "lensbench needs lm-eval 0.4.13."
        )
    return path


def _read_upstream(path: Path) -> JsonObject:
    """lm_eval's own definition, with its functions: code of an installed package, not of a data file."""
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(path)
    return {key: value for key, value in config.items() if key in LM_EVAL_FIELDS and not key.startswith("dataset_")}
