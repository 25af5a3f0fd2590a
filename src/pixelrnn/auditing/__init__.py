"""Audit any autoregressive model of images: is it causal, normalised, and is its figure what it says?"""

from pixelrnn.auditing.asking import audit
from pixelrnn.auditing.findings import Audit, Finding, Picture
from pixelrnn.auditing.order import Order, order_of

__all__ = ["Audit", "Finding", "Order", "Picture", "audit", "order_of"]
