"""The tree engine: every distinct token is read once, for all variants that share a layer.

Imports backbones, methods and engines.
"""
