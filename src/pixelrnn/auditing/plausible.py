"""A figure below the best that was ever published means a leak until it is proven otherwise."""

from typing import NamedTuple

from pixelrnn.auditing.findings import FAILS, HOLDS, UNTOLD, Finding, Verdict
from pixelrnn.wording import choice

CHECK = "plausible"


class Published(NamedTuple):
    """The best that is known of exact likelihoods on a data set, without added training data.

    Attributes:
        bits_per_dim: on its test images.
        source: which model, and where.
    """

    bits_per_dim: float
    source: str


BEST = {
    "cifar10": Published(
        2.64, "ARDM-Upscale-4 (Hoogeboom et al. 2022, arXiv 2110.02037); of PixelCNNs and Transformers in "
        "raster order 2.80, Sparse Transformer (Child et al. 2019, arXiv 1904.10509)"
    ),
    "imagenet32": Published(3.77, "Image Transformer (Parmar et al. 2018, arXiv 1802.05751)"),
    "imagenet64": Published(3.44, "Sparse Transformer (Child et al. 2019, arXiv 1904.10509)"),
}  # fmt: skip
BELOW = 0.04  # bits/dim below the best: other seeds and a few more parameters


def look(data: str, bits_per_dim: float, causal: Verdict) -> Finding:
    """Compare a figure with what was published of a data set.

    Args:
        data: its name.
        bits_per_dim: on its test images.
        causal: whether the model was found causal.

    Example:
        >>> look("cifar10", 1.631, "fails").verdict, look("digits", 1.7, "holds").verdict
        ('fails', 'cannot be told')
    """
    best = BEST.get(data.lower().replace("-", "").replace("_", ""))
    if best is None:
        return Finding(
            CHECK, UNTOLD, f"nothing published of {data} is known here; {choice(data, BEST)}"
        )
    against = (
        f"{bits_per_dim:.4g} bits/dim on {data} against {best.bits_per_dim:g}, the best published: "
        f"{best.source}"
    )
    if bits_per_dim >= best.bits_per_dim - BELOW:
        return Finding(CHECK, HOLDS, against)
    if causal == FAILS:
        return Finding(CHECK, FAILS, f"{against}. The leak that was found explains it")
    return Finding(
        CHECK,
        FAILS,
        f"{against}. That is a leak until proven otherwise: no later pixel was seen to be used, so "
        "look at how the figure is computed, and whether test images were trained on",
    )
