"""Enhancement methods: `fit(backbone, corpora, config) -> Enhancement`."""

from lensbench.methods.registry import MethodInfo, get_method, load_method, methods

__all__ = ["MethodInfo", "get_method", "load_method", "methods"]
