"""Damaged and hostile files of every kind that is read, drawn from a seed; `tests/fuzz.py` tries them."""
