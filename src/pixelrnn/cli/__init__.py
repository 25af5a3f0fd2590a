"""The command line: one small file per verb, which parses, calls and prints.

Nothing here imports torch at the top: a verb imports what it needs when it runs, so that
`pixelrnn --help` answers at once.
"""
