"""Causal self-attention (Chen et al. 2017, PixelSNAIL, arXiv 1712.09763, section 2.2).

    y = x + W_out [heads],    head = sum over q of softmax(Q . k_q) v_q

    Q = W_Q x,    (k, v) = W_M x + W_I image

q runs over all pixels before the one at hand, or those of so many rows above it; and over one that is no
pixel, whose key and value are zero, so that the first pixel, too, has something to attend to.

    x x x x x                             . . . . .
    x x x x x      with one row above:    x x x x x
    x x x ^                               x x x ^

Keys and values know all colours of their pixel: they are computed behind it. A query knows what the first
colour group does, and the result is of that group: it is computed once a pixel, for all colours.

Torch's own attention never holds the scores of all pixels at once, so that memory grows as the image does.
Where rows are limited, those of some rows are held.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelrnn.graph.operation import Operation, Tap
from pixelrnn.graph.traced import Maps, Traced
from pixelrnn.layers.chain import run_chain
from pixelrnn.layers.masked_conv import pointwise
from pixelrnn.layers.matrices import Matrices

INITIAL_OUT_GAIN = 0.3  # what attention finds is small at first
ROWS_AT_ONCE = 8  # of queries, where the rows that are looked at are limited


class Attention(nn.Module):
    """Map `(B, F, H, W)`, and the image itself, to maps of the same shape.

    Args:
        groups: colour group of each map, ascending, int64 `(F,)`.
        pixels: colour group of each map of the image.
        heads: how often it is done, side by side.
        features: of a key, and of a value, of each head.
        rows: above the pixel at hand that are looked at.

    Example:
        >>> layer = Attention(torch.zeros(6).long(), torch.zeros(1).long(), heads=2, features=4, rows=9)
        >>> layer(torch.randn(2, 6, 5, 7), torch.randn(2, 1, 5, 7)).shape
        torch.Size([2, 6, 5, 7])
    """

    def __init__(
        self, groups: Tensor, pixels: Tensor, *, heads: int, features: int, rows: int
    ) -> None:
        super().__init__()
        self.heads, self.rows = heads, rows
        first = torch.zeros(heads * features, dtype=torch.int64)
        last = torch.full((2 * heads * features,), int(groups.max()))
        self.query = pointwise(groups, first)
        self.memory, self.pixels = pointwise(groups, last), pointwise(pixels, last, bias=False)
        self.memory.section = self.pixels.section = "pixel_end"
        self.out = pointwise(first, groups)
        self.query.reset_parameters(features**-0.5)  # scores are of order 1
        self.memory.reset_parameters(0.5)
        self.pixels.reset_parameters(0.5)
        self.out.reset_parameters(INITIAL_OUT_GAIN)

    def forward(self, maps: Maps, image: Maps) -> Maps:
        """Add to maps what earlier pixels say; see the class."""
        query = self.query(maps)
        memory = run_chain([self.memory], maps, residual=self.pixels(image))
        heads: Maps = self._heads(query, memory)
        return run_chain([self.out], heads, residual=maps)

    def _heads(self, query: Maps, memory: Maps) -> Maps:
        """Return what each head finds, side by side, `(B, heads * features, H, W)`."""
        if isinstance(query, Traced) or isinstance(memory, Traced):
            return self._trace(query, memory)
        height, width = query.shape[2:]
        queries, keys, values = (
            part.unflatten(1, (self.heads, -1)).flatten(3).transpose(2, 3).contiguous()
            for part in (query, *memory.chunk(2, dim=1))  # each (B, heads, pixels, features)
        )
        # No pixel first, in place of the last one: so each may look at the key in its own place, too.
        keys, values = (F.pad(part[:, :, :-1], (0, 0, 1, 0)) for part in (keys, values))
        if self.rows >= height - 1:
            found = F.scaled_dot_product_attention(queries, keys, values, is_causal=True, scale=1.0)
        else:
            found = torch.cat(list(self._by_rows(queries, keys, values, width)), dim=2)
        result: Tensor = found.transpose(2, 3).flatten(1, 2).unflatten(2, (height, width))
        return result

    def _by_rows(
        self, queries: Tensor, keys: Tensor, values: Tensor, width: int
    ) -> Iterator[Tensor]:
        """Yield what the pixels of some rows find, which see those of limited rows above."""
        places = torch.arange(queries.shape[2], device=queries.device)
        for first in range(0, len(places), ROWS_AT_ONCE * width):
            here = places[first : first + ROWS_AT_ONCE * width]
            last = first + len(here)
            begin = max(1, first - self.rows * width + 1)
            before = places[begin:last] - 1
            sees = (before < here[:, None]) & (
                before // width >= here[:, None] // width - self.rows
            )
            seen = [
                torch.cat([each[:, :, :1], each[:, :, begin:last]], dim=2)
                for each in (keys, values)
            ]
            mask = F.pad(sees, (1, 0), value=True)
            yield F.scaled_dot_product_attention(
                queries[:, :, first:last], seen[0], seen[1], attn_mask=mask, scale=1.0
            )

    def _trace(self, query: Traced, memory: Traced) -> Traced:
        """Write the heads down, each an operation."""
        program, groups = query.program, query.groups
        out, size = program.new_map(len(groups)), len(groups) // self.heads
        value = None
        if query.value is not None and memory.value is not None:
            value = self._heads(query.value, memory.value)
        with program.section(0):
            for first in range(0, len(groups), size):
                parts = (query, first), (memory, first), (memory, len(groups) + first)
                looked_at, keys, values = (each.features.part(at, size) for each, at in parts)
                taps = Tap(looked_at), Tap(keys, row=-self.rows), Tap(values, row=-self.rows)
                program.append(Operation("attend", out.part(first, size), taps))
        return Traced(program, out, groups, value)

    def matrices(self) -> Iterator[Matrices]:
        """Yield how the weights form matrices: queries, keys and values of each head, and the result."""
        yield from self.query.matrices(self.heads)
        yield from self.memory.matrices(2 * self.heads)
        yield from self.pixels.matrices(2 * self.heads)
        yield from self.out.matrices()
