"""lensbench: benchmark harness for methods that make language models multilingual."""

__all__ = ["__version__"]

__version__ = "0.1.0"
