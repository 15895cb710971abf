"""The tree engine: every distinct token is read once, and once for all variants that share a layer.

May import backbones and the other modules of engines.
"""
