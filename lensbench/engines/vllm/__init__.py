"""The vLLM engine: one merged variant after the other. Imports backbones, methods and engines."""
