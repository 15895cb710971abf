"""A store of finished work that all runs of this user share: scores, answers, identified languages, and where fits are.

It saves work and decides nothing: an entry is used only if its key is equal, and without the store a run computes the same. May
import `records` and what lies below it.
"""

from __future__ import annotations

from lensbench.reuse.entry import KINDS, Damaged
from lensbench.reuse.environment import code_of, environment, key_of_content, own_code, package_code
from lensbench.reuse.limit import size_limit
from lensbench.reuse.listing import Held, clear, held, other_bytes
from lensbench.reuse.store import Store, open_store, store_folder

__all__ = [
    "KINDS",
    "Damaged",
    "Held",
    "Store",
    "clear",
    "code_of",
    "environment",
    "held",
    "key_of_content",
    "open_store",
    "other_bytes",
    "own_code",
    "package_code",
    "size_limit",
    "store_folder",
]
