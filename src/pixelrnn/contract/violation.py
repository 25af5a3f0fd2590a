"""What a check raises when a model breaks the contract."""

from pixelrnn.errors import PixelRNNError
from pixelrnn.ordering import Place


class ContractViolation(PixelRNNError):  # noqa: N818 - it reports what was found, like a test
    """A model broke the contract: it peeks, misses what it claims, or does not sum to one."""

    exit_code = 1


def named(place: Place) -> str:
    """Return a sub-pixel in words.

    Example:
        >>> named(Place(2, 3, 0))
        'row 2, column 3, colour 0'
    """
    return f"row {place.row}, column {place.column}, colour {place.channel}"
