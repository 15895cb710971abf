"""Fits of one method that share work: one workshop is open at a time, for as long as the backbone stays the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType

from lensbench.backbones.load import LoadedBackbone
from lensbench.methods import load_method
from lensbench.methods.base import Fit, KeptStates, SharesFits, TrainingData
from lensbench.methods.failures import errors_in_words
from lensbench.plan.variants import PlannedVariant

__all__ = ["SharedFits"]


class SharedFits:
    """The `fit` of each variant, by its method alone or together with the variants of the same method that come after it.

    Args:
        waiting: Variants that have yet to be fitted, with their training data, in the order of the fits.
        kept_of: What earlier runs kept of a method's fits; None if nothing is kept.
    """

    def __init__(
        self,
        waiting: Mapping[str, tuple[PlannedVariant, TrainingData]],
        kept_of: Callable[[str], KeptStates | None] = lambda method: None,
    ) -> None:
        self._waiting, self._kept_of = dict(waiting), kept_of
        self._open = ExitStack()
        self._fit: Fit | None = None
        self._of: tuple[str, int] | None = None
        """Method and backbone that the open workshop is for."""

    def fit_of(self, name: str, loaded: LoadedBackbone) -> Fit:
        """What fits a variant; it is called at most once.

        Raises:
            LensbenchError: the method cannot prepare fits together.
        """
        variant, data = self._waiting.pop(name)
        method = load_method(variant.method)
        # Another backbone object was read from disk anew, since a fit had changed the one before.
        of = (variant.method, id(loaded))
        if self._fit is None or self._of != of:
            self._close()
            jobs = [(data, variant.config)]
            jobs += [(its, other.config) for other, its in self._waiting.values() if other.method == variant.method]
            kept = self._kept_of(variant.method) if isinstance(method, SharesFits) else None
            if isinstance(method, SharesFits) and (len(jobs) > 1 or kept is not None):
                with errors_in_words(f"{name}: preparing {len(jobs)} fits", method):
                    self._fit = self._open.enter_context(method.together(loaded, jobs, kept))
                self._of = of
        return method.fit if self._fit is None else self._fit

    def _close(self) -> None:
        self._fit, self._of = None, None
        self._open.close()

    def __enter__(self) -> SharedFits:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()
