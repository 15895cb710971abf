"""Backbones: base models by short name, hub id or path; where their files are; how they are loaded."""

from lensbench.backbones.registry import Backbone, backbones, get_backbone, with_system

__all__ = ["Backbone", "backbones", "get_backbone", "with_system"]
