"""The vLLM engine: variants merged and asked one by one. May import backbones and other modules of engines."""
