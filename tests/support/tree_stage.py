"""What the scoring stage is given in tests: tasks over small rows, and variants of all kinds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lensbench.backbones.lazy import LazyBackbone
from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import chat_renderer
from lensbench.engines.protocol import Engine, EngineSettings
from lensbench.engines.registry import open_engine
from lensbench.methods.delta import Delta
from lensbench.methods.incline import Alignment, Intervention
from lensbench.plan.plan import make_plan
from lensbench.plan.request import RunRequest
from lensbench.plan.task_items import TaskItems, load_rows, render_items
from lensbench.spec import BASE
from lensbench.stages.variants import Variant


def engine_over(loaded: LoadedBackbone, name: str = "tree", batch_size: int = 16, **settings: Any) -> Engine:
    return open_engine(name, LazyBackbone.holding(loaded), EngineSettings(batch_size=batch_size, **settings))


def asked(
    loaded: LoadedBackbone, data: Path | str, profile: str, tasks: tuple[str, ...] = ("xcopa", "xwinograd")
) -> list[TaskItems]:
    request = RunRequest(backbone="smollm2-135m", tasks=tasks, profile=profile, data=str(data), limit=14)
    plan = make_plan(request)
    return render_items(plan, load_rows(plan, {}), chat_renderer(loaded.tokenizer, loaded.backbone.system_text))


def variants(loaded: LoadedBackbone) -> list[Variant]:
    """The backbone, a change of the last block, one of everything, and an intervention."""
    random = torch.Generator().manual_seed(0)
    changed = {n: p.detach() + 0.2 * torch.randn(p.shape, generator=random) for n, p in loaded.model.named_parameters()}
    last = {name: tensor for name, tensor in changed.items() if "layers.3." in name}
    maps = {"zh": {2: Alignment(torch.eye(32), torch.randn(32, 32, generator=random))}}
    steered = Intervention("tiny", "", "en", "hidden", "running", {"zh": 0.5}, maps)
    made = {"lens": Delta("lens", "tiny", "", 3, last), "full": Delta("xsft", "tiny", "", 0, changed), "incline": steered}
    return [Variant(BASE), *(Variant(name, enhancement) for name, enhancement in made.items())]
