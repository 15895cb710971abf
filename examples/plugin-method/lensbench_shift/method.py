"""Shift as a method: measure a direction per language, and add it where prompts are read."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from lensbench import Corpora, Cost, DataSource, LoadedBackbone, Progress, RunError, load_corpora, write_atomically
from lensbench_shift.config import ShiftConfig


@dataclass
class Shift:
    """Directions `[hidden]` by language, added to the output of one block."""

    layer: int
    directions: dict[str, torch.Tensor]
    card: dict[str, Any]

    mergeable = False

    @property
    def first_changed_layer(self) -> int:
        return self.layer

    @property
    def digest(self) -> str:
        digest = hashlib.sha256(str(self.layer).encode())
        for language, direction in sorted(self.directions.items()):
            digest.update(language.encode() + direction.float().numpy().tobytes())
        return digest.hexdigest()

    @contextmanager
    def applied(self, loaded: LoadedBackbone, language: str) -> Iterator[None]:
        direction = self.directions.get(language)
        if direction is None:
            # The central language is left as it is.
            yield
            return

        def hook(module: Any, inputs: Any, output: Any) -> Any:
            states = output[0] if isinstance(output, tuple) else output
            if states.shape[1] == 1:
                # One position with a filled cache is a decoding step: only prompts are shifted.
                return output
            shifted = states + direction.to(states)
            return (shifted, *output[1:]) if isinstance(output, tuple) else shifted

        handle = loaded.blocks[self.layer].register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.directions, folder / "directions.safetensors")
        # The card comes last: a folder with a card is a complete enhancement.
        write_atomically(folder / "card.json", json.dumps({**self.card, "layer": self.layer}) + "\n")


class ShiftMethod:
    """What lensbench calls."""

    name = "shift"
    config_model = ShiftConfig

    def corpora(
        self, source: DataSource, languages: tuple[str, ...], config: ShiftConfig, revisions: Mapping[str, str] | None = None
    ) -> Corpora:
        return load_corpora(source, languages, n_probe=0, n_parallel=config.n_pairs, seed=config.seed, revisions=revisions)

    def fit(self, loaded: LoadedBackbone, corpora: Corpora, config: ShiftConfig, progress: Progress) -> Shift:
        started = time.perf_counter()
        layer = len(loaded.blocks) + config.layer
        if layer < 0:
            raise RunError(f"layer {config.layer} is outside the model's {len(loaded.blocks)} blocks")
        means: dict[str, torch.Tensor] = {}
        tokens = 0
        with progress.stage("shift · states", len(corpora.parallel) * len(corpora.languages)) as advance:
            for language in corpora.languages:
                states = []
                for prompt in corpora.parallel:
                    ids = torch.tensor([loaded.tokenizer.encode(prompt.text[language])], device=loaded.device)
                    tokens += ids.shape[1]
                    with torch.inference_mode():
                        hidden = loaded.model(ids, output_hidden_states=True, logits_to_keep=1).hidden_states[layer + 1]
                    states.append(hidden[0, -1].float().cpu())
                    advance(1)
                means[language] = torch.stack(states).mean(0)
        central = corpora.languages[0]
        directions = {code: config.strength * (mean - means[central]) for code, mean in means.items() if code != central}
        weights = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
        cost = Cost(
            wall_seconds=time.perf_counter() - started,
            gpu_seconds=None,
            peak_bytes=None,
            floor_bytes=weights,
            trainable_parameters=0,
            total_parameters=sum(p.numel() for p in loaded.model.parameters()),
            training_items=len(corpora.parallel),
            training_tokens=tokens,
            steps=0,
        )
        return Shift(layer, directions, {"backbone_digest": loaded.checkpoint.digest, "cost": cost.as_dict()})

    def load(self, folder: Path, backbone_digest: str) -> Shift:
        card = json.loads((folder / "card.json").read_text())
        if card["backbone_digest"] != backbone_digest:
            raise RunError(f"{folder} was fitted on another backbone")
        return Shift(card.pop("layer"), load_file(folder / "directions.safetensors"), card)


METHOD = ShiftMethod()
