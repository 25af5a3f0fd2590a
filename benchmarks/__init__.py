"""How fast it is, beside the usual ways: sampling, training and compressing.

Import from the files: this package itself imports nothing, so that measuring one loads only what it needs.
"""
