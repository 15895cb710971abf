"""Measuring the memory that a piece of work needs."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

__all__ = ["PeakMemory", "free_bytes", "measure_peak", "out_of_memory", "release", "resident_bytes"]

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")
_MEMINFO = Path("/proc/meminfo")


@dataclass
class PeakMemory:
    """Filled in when the measured block ends."""

    peak_bytes: int | None = None
    """Highest resident memory of the process (CPU) or highest allocation (CUDA) inside the block; None if unknown."""


@contextmanager
def measure_peak(device: torch.device) -> Iterator[PeakMemory]:
    """The peak inside a `with` block: the kernel's own high-water mark on Linux, the allocator's on CUDA."""
    found = PeakMemory()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield found
        found.peak_bytes = torch.cuda.max_memory_allocated(device)
        return
    try:
        _RESET.write_text("5")  # resets VmHWM, see proc(5)
    except OSError:
        yield found
        return
    yield found
    found.peak_bytes = _status_bytes("VmHWM")


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error of torch says that memory ran out; on the CPU it has no class of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had on a device now; None where the system does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = _MEMINFO.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def release() -> None:
    """Release unused memory, so that it does not count in the next measurement.

    The C library keeps freed memory for later; glibc can be told not to.
    """
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def resident_bytes() -> int | None:
    """Resident memory of this process now; None where the system does not tell."""
    return _status_bytes("VmRSS") if _STATUS.is_file() else None


def _status_bytes(field: str) -> int | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return None
