"""The outline of a fastText model file: whether it is whole, and its labels.

fastText itself checks the first eight bytes only. A file cut off later kills the process, hangs it, or loads and answers at
random, so the file is walked to its end before it is loaded. Source of the layout: fastText 0.9.2, the `load` functions of
`args.cc`, `dictionary.cc`, `densematrix.cc`, `quantmatrix.cc` and `productquantizer.cc`.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from lensbench.errors import UnavailableError

__all__ = ["LABEL_PREFIX", "read_labels"]

LABEL_PREFIX = "__label__"

_MAGIC = 793712314
_SUPERVISED = 3
_LABEL = 1
_CENTROIDS = 256


class _CutOff(Exception):
    """The file ends before the model does."""


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def take(self, layout: str) -> tuple[int, ...]:
        start = self.at
        self.skip(struct.calcsize(layout))
        return struct.unpack_from(layout, self.data, start)

    def skip(self, size: int) -> None:
        self.at += size
        if size < 0 or self.at > len(self.data):
            raise _CutOff

    def string(self) -> bytes:
        start, end = self.at, self.data.find(b"\0", self.at)
        if end < 0:
            raise _CutOff
        self.at = end + 1
        return self.data[start:end]

    def matrix(self, quantised: bool) -> None:
        if not quantised:
            rows, columns = self.take("<qq")
            self.skip(rows * columns * 4)
            return
        has_norms, rows, _, codes = self.take("<?qqi")
        self.skip(codes)
        self.quantiser()
        if has_norms:
            self.skip(rows)
            self.quantiser()

    def quantiser(self) -> None:
        dimensions, *_ = self.take("<iiii")
        self.skip(dimensions * _CENTROIDS * 4)


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of a fastText classifier, without their prefix.

    Raises:
        UnavailableError: the file cannot be read, is empty, is no fastText model, is cut off, or has no labels.
    """
    try:
        with path.open("rb") as stream:
            if not path.stat().st_size:
                raise UnavailableError(f"{path} is empty, not a fastText model", "Fetch it again.")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
                labels = _walk(path, _Reader(data))
    except OSError as error:
        raise UnavailableError(f"{path} cannot be read: {error.strerror}") from None
    except _CutOff:
        size = path.stat().st_size
        raise UnavailableError(f"{path} is a fastText model that is cut off after {size:,} bytes", "Fetch it again.") from None
    if not labels:
        raise UnavailableError(
            f"{path} is a fastText model of word vectors: it has no labels", "Name a language identifier (a classifier)."
        )
    return labels


def _walk(path: Path, file: _Reader) -> tuple[str, ...]:
    """Read the outline to its end. A model of word vectors gives no labels."""
    if len(file.data) < 4 or file.take("<i")[0] != _MAGIC:
        begins = file.data[:12]
        raise UnavailableError(f"{path} is not a fastText model: it begins with {begins!r}", "Name a .bin or .ftz file.")
    settings = file.take("<i12id")
    entries, _, _, _, pruned = file.take("<iiiqq")
    labels = []
    for _ in range(entries):
        word = file.string()
        kind = file.take("<qb")[1]
        if kind == _LABEL:
            labels.append(word.decode("utf-8", "replace").removeprefix(LABEL_PREFIX))
    file.skip(max(pruned, 0) * 8)
    quantised = bool(file.take("<?")[0])
    file.matrix(quantised)
    quantised_output = bool(file.take("<?")[0])
    file.matrix(quantised and quantised_output)
    # version, dim, ws, epoch, minCount, neg, wordNgrams, loss, model
    return tuple(labels) if settings[8] == _SUPERVISED else ()
