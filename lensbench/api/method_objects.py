"""Methods as objects: settings that are checked when the object is made, and a fit on the user's model."""

from __future__ import annotations

import inspect
import os
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from lensbench.api.arguments import a_path, known_arguments
from lensbench.api.given_data import GivenData, Parallel, given_rows, languages_of
from lensbench.api.loaded_models import evaluating, weights_fingerprint, wrapped
from lensbench.api.reporting_to import progress_or_default
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from lensbench.backbones.load import LoadedBackbone
    from lensbench.methods.base import Enhancement
    from lensbench.methods.config import MethodConfig

__all__ = ["Fitted", "Incline", "Lens", "MethodObject", "Qalign", "Sdrrl", "Xsft", "XsftFull", "fit", "load_enhancement"]


class Fitted:
    """What a method left behind, with the model that it was fitted on.

    Attributes:
        enhancement: As the method made it.
    """

    def __init__(self, enhancement: Enhancement, loaded: LoadedBackbone) -> None:
        self.enhancement = enhancement
        self._loaded = loaded

    @property
    def card(self) -> JsonObject:
        """Configuration, cost and measurements of the fit; {} where the method keeps none."""
        return dict(getattr(self.enhancement, "card", {}))

    @property
    def first_changed_layer(self) -> int:
        """0-based index of the first block whose output may differ."""
        return self.enhancement.first_changed_layer

    @contextmanager
    def applied(self, model: PreTrainedModel | None = None, *, language: str | None = None) -> Iterator[PreTrainedModel]:
        """The model with the enhancement in place while the context lasts; afterwards it is as before.

        Args:
            model: None is the model it was fitted on; another object must hold the same weights.
            language: Code of the language that prompts are in. An enhancement of weights does not depend on it.

        Raises:
            UsageError: other weights, or no language for an enhancement that acts by language.
        """
        from lensbench.languages import CENTRAL, get_language

        loaded = self._loaded
        if model is not None and model is not loaded.model:
            if weights_fingerprint(model) != loaded.checkpoint.digest:
                raise UsageError("model has other weights than the one that was fitted", "Load the same checkpoint and dtype.")
            loaded = wrapped(model, loaded.tokenizer, system=loaded.backbone.system_text)
        if language is None and not self.enhancement.mergeable:
            raise UsageError("language is needed: this enhancement depends on it", "Example: applied(model, language='zh')")
        code = CENTRAL if language is None else get_language(language).code
        with self.enhancement.applied(loaded, code):
            yield loaded.model

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write tensors and card into a folder, as a run does it.

        Raises:
            RunError: the disk is full, or a file cannot be written.
        """
        target = a_path("folder", folder)
        self.enhancement.save(target)
        return target

    def __repr__(self) -> str:
        return f"Fitted({type(self.enhancement).__name__}, first_changed_layer={self.first_changed_layer})"


class _Signed(type):
    @property
    def __signature__(cls) -> inspect.Signature:
        """The settings with their types and defaults, as a notebook's help shows them."""
        from lensbench.methods import config_model

        name = str(getattr(cls, "name", ""))
        if not name:
            return inspect.Signature([inspect.Parameter("settings", inspect.Parameter.VAR_KEYWORD)])
        fields = config_model(name)[0].model_fields.items()
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature([inspect.Parameter(n, kind, default=f.default, annotation=f.annotation) for n, f in fields])


class MethodObject(metaclass=_Signed):
    """A method with settings. `Lens(rank=1)` serves for `evaluate(methods=[...])` and for `fit`.

    Args:
        settings: The method's configuration; what is left out has its default.

    Attributes:
        given: The settings that were given.

    Raises:
        UsageError: an unknown setting (with the nearest), or a value out of range.
    """

    name: ClassVar[str] = ""

    def __init__(self, **settings: Any) -> None:
        self.given = settings
        self._configured({})

    @property
    def config(self) -> MethodConfig:
        """All settings, with defaults and the preset's values."""
        return self._configured({})

    def _configured(self, sizes: Mapping[str, Any]) -> MethodConfig:
        from lensbench.methods import config_model
        from lensbench.yamlio import validated

        model, presets = config_model(self.name)
        preset = presets.get(str(self.given.get("preset", "default")), {})
        return validated({**preset, **sizes, **self.given}, model, None, f"method '{self.name}': ")

    def fit(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        texts: Mapping[str, Sequence[str]] | None = None,
        parallel: Parallel | None = None,
        answers: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        rows: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]] | None = None,
        languages: Sequence[str] | None = None,
        system: str | None = None,
        progress: Progress | None = None,
    ) -> Fitted:
        """Fit the method on texts that are given here; the model is left as it was.

        LENS learns from `texts` and `parallel`, INCLINE and QAlign from `parallel`, xSFT from `answers`. Of sizes such as
        `n_probe` that were not set, all that was given is taken.

        Args:
            model: A causal language model of transformers.
            tokenizer: Its tokenizer, with a chat template.
            texts: Code -> texts, which need not be translations of each other.
            parallel: Prompts in several languages: mappings of codes to texts, or texts in the order of the languages.
            answers: Code -> pairs of question and answer.
            rows: Rows in the shape of a data set, for what the others cannot say: name -> code -> rows (docs/data.md).
            languages: Codes; None takes those of `texts` or `answers`. English is the central language and comes first.
            system: System message of every prompt; None sends none.
            progress: Where the fit reports to; None shows bars.

        Raises:
            UsageError: data of another form, an unknown language, or settings that do not go with the languages.
            DataError: fewer texts than a setting asks for.
            UnavailableError: texts that the method learns from were not given.
            RunError: the fit failed, such as a loss that is not finite.
        """
        from lensbench.methods import config_model, load_method
        from lensbench.methods.check import check_enhancement, take_snapshot

        codes = languages_of(texts, answers, parallel, languages)
        given = {**given_rows(codes, texts, parallel, answers), **(rows or {})}
        config = self._configured(_sizes(config_model(self.name)[0], given))
        config.check(codes[1:])
        loaded = wrapped(model, tokenizer, system=system)
        method, reporter = load_method(self.name), progress_or_default(progress)
        corpora = method.corpora(GivenData(given), codes, config)
        with evaluating(model):
            before = take_snapshot(loaded)
            enhancement = method.fit(loaded, corpora, config, reporter)
            check_enhancement(self.name, loaded, enhancement, codes, before)
        return Fitted(enhancement, loaded)

    def load(
        self,
        folder: str | os.PathLike[str],
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        system: str | None = None,
    ) -> Fitted:
        """What `Fitted.save` wrote, for the same weights.

        Raises:
            RunError: unreadable, changed since it was saved, or fitted on other weights.
        """
        from lensbench.methods import load_method

        loaded = wrapped(model, tokenizer, system=system)
        return Fitted(load_method(self.name).load(a_path("folder", folder), loaded.checkpoint.digest), loaded)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.given.items())})"


def _sizes(model: type[MethodConfig], given: Mapping[str, Mapping[str, Any]]) -> dict[str, int | None]:
    """Sizes of samples for data that was given: all of it, and none of a data set that was not given."""
    sizes: dict[str, int | None] = {
        name: None
        for name, field in model.model_fields.items()
        if name.startswith("n_") and type(None) in typing.get_args(field.annotation)
    }
    for name, rows in (("n_aya", "aya"), ("n_bactrian", "bactrian_x")):
        if name in sizes and not given.get(rows):
            sizes[name] = 0
    return sizes


class Lens(MethodObject):
    """LENS: pull together, push apart and retain in language subspaces (docs/lens.md)."""

    name = "lens"


class Incline(MethodObject):
    """INCLINE: at inference time, move the last prompt token's states towards English (docs/incline.md)."""

    name = "incline"


class Xsft(MethodObject):
    """xSFT: instruction tuning on a few multilingual answers (docs/sft.md)."""

    name = "xsft"


class XsftFull(MethodObject):
    """xSFT-Full: instruction tuning on all answers in the target languages (docs/sft.md)."""

    name = "xsft-full"


class Qalign(MethodObject):
    """QAlign: translating questions into the central language (docs/sft.md)."""

    name = "qalign"


class Sdrrl(MethodObject):
    """SDRRL: the model's own English answers, learned in several languages (docs/sdrrl.md)."""

    name = "sdrrl"


def fit(
    method: str | MethodObject,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    settings: Mapping[str, Any] | None = None,
    **data: Any,
) -> Fitted:
    """Fit a method on the user's model; installed packages can provide methods.

    Args:
        method: Name, or an object that has its settings.
        settings: The settings of a method that is given by name.
        data: As for `MethodObject.fit`.

    Raises:
        UsageError: an unknown method, settings beside an object, or as `MethodObject.fit`.
    """
    known_arguments(data, MethodObject.fit)
    if isinstance(method, MethodObject):
        if settings is not None:
            raise UsageError("put the settings into the method object", f"Example: {type(method).__name__}(seed=1)")
        return method.fit(model, tokenizer, **data)
    fitted: Fitted = _named(method)(**(settings or {})).fit(model, tokenizer, **data)
    return fitted


def load_enhancement(
    method: str,
    folder: str | os.PathLike[str],
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    *,
    system: str | None = None,
) -> Fitted:
    """What `Fitted.save` wrote for a method that is given by name, such as one of an installed package.

    Args:
        method: Name of the method that was fitted.
        folder: As given to `Fitted.save`.
        model: The same weights.
        system: System message of every prompt; None sends none.

    Raises:
        UsageError: an unknown method.
        RunError: unreadable, changed since it was saved, or fitted on other weights.
    """
    from lensbench.methods import load_method

    loaded = wrapped(model, tokenizer, system=system)
    return Fitted(load_method(_known(method)).load(a_path("folder", folder), loaded.checkpoint.digest), loaded)


def _known(method: str) -> str:
    from lensbench.methods import get_method

    return get_method(method).name


def _named(method: str) -> type[MethodObject]:
    return type("_Named", (MethodObject,), {"name": _known(method)})
