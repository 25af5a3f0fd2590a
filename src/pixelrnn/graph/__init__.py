"""A model as a graph: operations on feature maps, written once, at one pixel.

operation.py  operations, the features that they write, the taps that they read
program.py    maps, and sections of operations
given.py      what an image may be given by
conditions.py which image it may be given, by kind, and how that is made of images
guidance.py   a program of what a label makes likelier
traced.py     a model's `forward` written down as a program
simplify.py   operations that are one: a sum and what is done with it
reach.py      what a position may depend on: a walk over taps
"""
