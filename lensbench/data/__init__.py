"""Where rows come from: the hub, a local data folder, or the embedded set; never one in place of another."""

from lensbench.data.corpora import Corpora, ParallelPrompt, load_corpora
from lensbench.data.rows import RowsSpec, canonical_json, load_rows_spec, row_hash
from lensbench.data.sources import EMBEDDED, DataSource, Rows, open_data

__all__ = [
    "EMBEDDED",
    "Corpora",
    "DataSource",
    "ParallelPrompt",
    "Rows",
    "RowsSpec",
    "canonical_json",
    "load_corpora",
    "load_rows_spec",
    "open_data",
    "row_hash",
]
