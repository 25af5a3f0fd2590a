"""The stepper: programs, and the one compiled loop that runs them pixel by pixel.

Imports numpy and numba only, and of this package `units`.
"""

from pixelrnn.stepper.program import Features, LikelihoodParameters, Program, Tap

__all__ = ["Features", "LikelihoodParameters", "Program", "Tap"]
