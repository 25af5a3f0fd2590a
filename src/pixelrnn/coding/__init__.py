"""Exact coding."""
