"""The slow, obvious engine that the others are tested against. Imports backbones, methods and engines."""
