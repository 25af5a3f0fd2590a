"""A model as a graph: operations on feature maps, written once, at one pixel.

program.py    maps, taps and operations
traced.py     a model's `forward` written down as a program
simplify.py   operations that are one: a sum and what is done with it
reach.py      what a position may depend on: a walk over taps
"""
