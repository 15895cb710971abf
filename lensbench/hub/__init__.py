"""The Hugging Face hub: commits, listings, downloads with retries, and what its failures mean. No rows, no models."""

from lensbench.hub.faults import STANDING_IN, HubError, fault_of, hub_error
from lensbench.hub.place import endpoint, hub_cache, offline
from lensbench.hub.repository import Finder, Snapshot, briefly, cached_size, fetch, find_snapshot, list_files, parquet_export
from lensbench.hub.watch import shown_by, size_text

__all__ = [
    "STANDING_IN",
    "Finder",
    "HubError",
    "Snapshot",
    "briefly",
    "cached_size",
    "endpoint",
    "fault_of",
    "fetch",
    "find_snapshot",
    "hub_cache",
    "hub_error",
    "list_files",
    "offline",
    "parquet_export",
    "shown_by",
    "size_text",
]
