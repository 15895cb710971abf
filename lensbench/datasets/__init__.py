"""Where rows come from: the hub, a local data folder, or the embedded set; one never replaces another silently."""

from lensbench.datasets.rows import RowsSpec, canonical_json, load_rows_spec, row_hash
from lensbench.datasets.sources import EMBEDDED, DataSource, Rows, open_data

__all__ = ["EMBEDDED", "DataSource", "Rows", "RowsSpec", "canonical_json", "load_rows_spec", "open_data", "row_hash"]
