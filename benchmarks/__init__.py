"""How fast it is: drawing images (`sampling.py`) and training (`training.py`), each beside the usual way.

Import from the files: this package itself imports nothing, so that measuring one loads only what it needs.
"""
