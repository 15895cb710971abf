"""Methods: what turns a backbone into a better one."""

from lensbench.methods.registry import BrokenPlugin, MethodInfo, config_model, get_method, load_method, method_names, methods

__all__ = ["BrokenPlugin", "MethodInfo", "config_model", "get_method", "load_method", "method_names", "methods"]
