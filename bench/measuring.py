"""What the benchmarks share: seconds, ratios of medians, the machine, the real rows."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Taken = tuple[float, float]
"""Seconds that passed, and seconds that processors worked: the second does not count who else uses the machine."""


class Watch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started = (time.perf_counter(), time.process_time())

    def read(self) -> Taken:
        return time.perf_counter() - self._started[0], time.process_time() - self._started[1]


def ratios(over: list[Taken], under: list[Taken]) -> dict[str, float]:
    """Of the medians."""
    wall, cpu = (statistics.median(t[i] for t in over) / statistics.median(t[i] for t in under) for i in (0, 1))
    return {"ratio": wall, "cpu_ratio": cpu}


def machine(**more: Any) -> dict[str, Any]:
    """What ran, and how busy it was at the start."""
    import torch

    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        name = next(
            (row.split(":", 1)[1].strip() for row in cpuinfo.read_text().splitlines() if row.startswith("model name")), name
        )
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d"),
        **more,
    }


@contextmanager
def real_rows(given: str | None) -> Iterator[Path]:
    """A data folder: the given one, or one imported from the original release files in LENSBENCH_REAL_DATA."""
    from lensbench.datasets.importing import import_folder

    if given:
        yield Path(given)
        return
    original = os.environ.get("LENSBENCH_REAL_DATA")
    if not original:
        raise SystemExit("give --data, or the folder of original release files in LENSBENCH_REAL_DATA")
    with tempfile.TemporaryDirectory() as folder:
        import_folder(Path(original), Path(folder))
        yield Path(folder)


def load_model(name: str, *, device: str = "cpu") -> Any:
    """A backbone in fp32."""
    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import load_backbone
    from lensbench.backbones.resolve import find_checkpoint

    backbone = get_backbone(name)
    return load_backbone(backbone, find_checkpoint(backbone, notify=print), device=device, dtype="float32")


def like_lens(loaded: Any, starts: list[int]) -> list[Any]:
    """Deltas as LENS leaves them: all tensors of the blocks from each start up, on the model's device."""
    import torch

    from lensbench.methods.delta import Delta

    deltas = []
    for number, start in enumerate(starts):
        draw = torch.Generator(device=loaded.device).manual_seed(number)
        prefixes = tuple(f"{loaded.blocks_prefix}.{index}." for index in range(start, len(loaded.blocks)))
        tensors = {
            name: p.detach() * (1 + 0.01 * torch.randn(p.shape, generator=draw, device=p.device, dtype=p.dtype))
            for name, p in loaded.model.named_parameters()
            if name.startswith(prefixes)
        }
        deltas.append(Delta("lens", loaded.backbone.backbone, "", start, tensors))
    return deltas
