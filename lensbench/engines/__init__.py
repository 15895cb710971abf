"""Engines score requests and generate answers. The protocol, the registry, the built-in engines, and the encoding of text.

The registry and the protocol import neither torch nor lm-eval; import an engine from its own module. May import backbones,
datasets, records, tasks and the small modules at the top.
"""
