"""What each model sees, by kernel sizes and dilations alone: no mask and no tap is read.

A field is walked back layer by layer over the pixels of an image: from the pixels at which a layer's
result is needed to those at which what it reads is, as the paper says it. Features of a pixel and
of a colour group that comes later are left out at the pixel itself.
"""

import numpy as np
import pytest


def offsets(height, width, dilation=1, *, centre):
    """Return the (row, column) offsets of a masked kernel of full size height x width."""
    rows, columns = height // 2, width // 2
    full = [(r, c) for r in range(-rows, 1) for c in range(-columns, columns + 1)]
    before = [(r, c) for r, c in full if r < 0 or c < 0]
    return [(dilation * r, dilation * c) for r, c in before + [(0, 0)] * centre]


def moved(needed, row, column):
    """Return the pixels at an offset from those needed, as far as they are inside the image."""
    result = np.zeros_like(needed)
    for r, c in np.argwhere(needed):
        if 0 <= r + row < needed.shape[0] and 0 <= c + column < needed.shape[1]:
            result[r + row, c + column] = True
    return result


def read_by(needed, kernel):
    return np.any([moved(needed, *offset) for offset in kernel], axis=0)


def rows_above(size, dilation=1, *, own):
    """Return the offsets of a kernel of whole rows: those above, and its own too."""
    half = size // 2
    rows = range(-half, 1 if own else 0)
    return [(dilation * r, dilation * c) for r in rows for c in range(-half, half + 1)]


def pixelcnn_block(config, index, needed):
    size, dilation = config.kernel_size, config.dilations[index % len(config.dilations)]
    return read_by(needed, offsets(size, size, dilation, centre=True))


def row_lstm_block(config, index, needed):
    """State rows above, each wider by half a kernel; of every state the inputs to its left."""
    half = config.kernel_size // 2
    states = needed.copy()
    for row in range(len(needed) - 1, 0, -1):
        above = np.zeros_like(needed)
        above[row - 1] = read_by(states, [(-1, c) for c in range(-half, half + 1)])[row - 1]
        states |= above
    return read_by(states, offsets(1, config.kernel_size, centre=True))


def diagonal_bilstm_block(config, index, needed):
    """All pixels before, and the pixel itself."""
    last = np.flatnonzero(needed)
    before = np.zeros(needed.size, bool)
    before[: last.max() + 1 if len(last) else 0] = True
    return before.reshape(needed.shape)


def gated_pixelcnn(config, needed):
    """Return the pixels that the horizontal stack reads, and those that the vertical one does."""
    size, horizontal, vertical = config.kernel_size, needed, np.zeros_like(needed)
    for index in reversed(range(config.layers)):
        dilation = config.dilations[index % len(config.dilations)]
        above = horizontal | vertical
        vertical = read_by(above, rows_above(size, dilation, own=True))
        horizontal = read_by(horizontal, offsets(1, size, dilation, centre=True))
    return horizontal, read_by(vertical, rows_above(config.stem_kernel_size, own=False))


def before(needed, rows):
    """Return the pixels before any of those needed in raster order, from so many rows above it on."""
    result, width = np.zeros_like(needed), needed.shape[1]
    for r, c in np.argwhere(needed):
        result.reshape(-1)[max(0, r - rows) * width : r * width + c] = True
    return result


def pixel_snail(config, needed):
    """Return the pixels whose features are read, and those that attention reads themselves."""
    reached, pixels = needed, np.zeros_like(needed)
    for index in reversed(range(config.layers)):
        if (config.layers - 1 - index) % config.attention_every == 0:
            looked_at = before(reached, config.attention_rows)
            reached, pixels = reached | looked_at, pixels | looked_at
        reached = reached | pixelcnn_block(config, index, reached)
    return reached, pixels


BLOCKS = {
    "pixelcnn": pixelcnn_block,
    "row-lstm": row_lstm_block,
    "diagonal-bilstm": diagonal_bilstm_block,
}
MODELS = {"gated-pixelcnn": gated_pixelcnn, "pixel-snail": pixel_snail}


def kernel(config, name):
    """Return the offsets that a layer reads, by its name in the model."""
    *_, layer = name.removesuffix(".conv").split(".")
    if name == "stem":
        size = config.stem_kernel_size, config.stem_kernel_size
    elif layer == "prediction":
        size = 3, 3
    elif config.kind in ("pixelcnn", "pixel-snail") and name.endswith(".conv"):
        size = config.kernel_size, config.kernel_size
    elif layer == "vertical_stem":
        return rows_above(config.stem_kernel_size, own=False)
    elif layer == "vertical":
        dilation = config.dilations[int(name.split(".")[1]) % len(config.dilations)]
        return rows_above(config.kernel_size, dilation, own=True)
    elif layer == "horizontal" or (config.kind == "row-lstm" and layer == "input_to_state"):
        size = 1, config.kernel_size
    else:
        size = 1, 1
    dilation = 1
    if config.kind != "row-lstm" and name.endswith((".conv", ".horizontal")) and "blocks" in name:
        dilation = config.dilations[int(name.split(".")[1]) % len(config.dilations)]
    shows_itself = name not in ("stem", "prediction.conv") or (
        name == "stem" and config.channels > 1 and config.likelihood.kind == "categorical"
    )
    return offsets(*size, dilation, centre=shows_itself)


def field(config, place, height, width):
    """Return which sub-pixels the distribution at `place` depends on, bool `(C, height, width)`."""
    needed = np.zeros((height, width), bool)
    needed[place.row, place.column] = True
    reached, pixels = needed, np.zeros_like(needed)
    if config.kind in MODELS:
        reached, pixels = MODELS[config.kind](config, needed)
    elif config.kind in BLOCKS:
        for index in reversed(range(config.layers)):
            reached = reached | BLOCKS[config.kind](config, index, reached)
    else:
        pytest.skip(f"{config.kind} has no field here: write what its block sees")
    size = config.stem_kernel_size
    pixels = pixels | read_by(reached, offsets(size, size, centre=False))
    if config.likelihood.kind == "logistic-mixture":
        pixels |= read_by(needed, [(-1, -1), (-1, 0), (-1, 1), (0, -1)])
    result = np.repeat(pixels[None], config.channels, axis=0)
    if (
        config.likelihood.kind == "categorical"
    ):  # of a pixel itself, features see colours before theirs
        result[:-1] |= reached
    result[:, place.row, place.column] = np.arange(config.channels) < place.channel
    return result
