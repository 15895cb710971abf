"""Engines: what asks a model. The protocol and the registry, the built-in engines, and the way from text to token ids.

The registry and the protocol import neither torch nor lm-eval; import an engine from its own module. May import backbones,
datasets, records, tasks and the small modules at the top.
"""
