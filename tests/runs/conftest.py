"""Synthetic run folders."""

from tests.synthetic_runs import colour, digits

__all__ = ["colour", "digits"]
