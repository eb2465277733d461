"""The demo: one bake on the local AWS, from an encrypted instance to an image in each of two receivers' accounts."""

from .bake import run

__all__ = ["run"]
