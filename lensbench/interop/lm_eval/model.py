"""lensbench as a model of lm-evaluation-harness: `--model lensbench` scores with the tree engine.

lm-eval 0.4.13 finds models in a table of its own and in what has been registered before it looks; it has no entry points for
models, and `--include_path` is for tasks. So this module must be imported first. `python -m lensbench.interop.lm_eval` does that
and then hands its arguments to lm-eval.
"""

from __future__ import annotations

from lm_eval.api.registry import register_model

from lensbench.backbones import get_backbone
from lensbench.backbones.load import load_backbone
from lensbench.backbones.resolve import find_checkpoint
from lensbench.engines.blocks import CannotPack
from lensbench.engines.protocol import Answer, TokenRequest
from lensbench.engines.reference.lm import LensLM
from lensbench.engines.tree.scorer import TreeScorer
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject

__all__ = ["LensbenchLM"]

_BATCH = 16


@register_model("lensbench")
class LensbenchLM(LensLM):
    """A model that lm-eval asks and the tree engine scores; what the tree engine cannot read, the reference engine scores.

    Args:
        pretrained: Short name, hub id or model folder.
        revision: Hub revision.
        device: "auto", "cpu", "cuda", "cuda:0" ...; None is "auto".
        dtype: "auto" (fp32 on a CPU, bf16 on an accelerator), "float32", "bfloat16" or "float16".
        batch_size: Sequences per forward pass; "auto" is 16.
        max_batch_size: Of no use here; lm-eval hands it to every model.
        trust_remote_code: Whether Python code of the model's own may run.
        system: System text; None is the one of the backbone's own file, if it has one.

    Raises:
        UsageError: no such model or device, or a batch size that is no number.
        UnavailableError: the model was not available.
    """

    def __init__(
        self,
        pretrained: str,
        revision: str | None = None,
        device: str | None = None,
        dtype: str = "auto",
        batch_size: int | str | None = None,
        max_batch_size: int | None = None,
        trust_remote_code: bool = False,
        system: str | None = None,
    ) -> None:
        backbone = get_backbone(pretrained)
        if system is not None:
            backbone = backbone.model_copy(update={"system_text": system})
        trust = bool(trust_remote_code)
        checkpoint = find_checkpoint(backbone, revision=revision, trust=trust)
        loaded = load_backbone(backbone, checkpoint, device=device or "auto", dtype=str(dtype), trust=trust)
        super().__init__(loaded, batch_size=_number(batch_size))
        self._scorer: TreeScorer | None = None
        self.cannot: str | None = None
        """Why the reference engine scores, where the tree engine cannot read the model."""
        try:
            self._scorer = TreeScorer(loaded, max_length=self.max_length, batch_size=self.batch_size)
        except CannotPack as error:
            self.cannot = error.message

    def score_tokens(self, requests: list[TokenRequest]) -> list[Answer]:  # type: ignore[override]
        """Same as `LensLM.score_tokens`; equal up to rounding."""
        self.refuse_unknown_ids([*context, *target] for _, context, target in requests)
        if self._scorer is None:
            return super().score_tokens(requests)
        try:
            self._scorer.check(requests)
        except CannotPack:
            # A single request that is too long must not stop the others.
            return super().score_tokens(requests)
        answers: list[Answer] = [(float("nan"), False)] * len(requests)
        for scored in self._scorer.score(requests):
            for index, answer in zip(scored.requests, scored.answers[0], strict=True):
                answers[index] = answer
        return answers

    def get_model_info(self) -> JsonObject:
        """Description of the model that lm-eval writes into its results."""
        checkpoint = self.loaded.checkpoint
        return {
            "model_num_parameters": sum(parameter.numel() for parameter in self.loaded.model.parameters()),
            "model_dtype": str(self.loaded.model.dtype),
            "model_revision": checkpoint.revision or "",
            "model_sha": checkpoint.digest,
        }


def _number(batch_size: int | str | None) -> int:
    if batch_size is None or str(batch_size).startswith("auto"):
        return _BATCH
    if not str(batch_size).isdigit() or int(batch_size) < 1:
        raise UsageError(f"batch_size must be a number of sequences, found {batch_size!r}")
    return int(batch_size)
