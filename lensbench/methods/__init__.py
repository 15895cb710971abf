"""Methods turn a backbone into an enhanced one."""

from lensbench.methods.registry import BrokenPlugin, MethodInfo, config_model, get_method, load_method, method_names, methods

__all__ = ["BrokenPlugin", "MethodInfo", "config_model", "get_method", "load_method", "method_names", "methods"]
