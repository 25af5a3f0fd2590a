"""The layers in plain numpy: one image, one pixel at a time, as the paper's equations read.

An image of features is `(maps, H, W)`. A colour group is a number for each map. Nothing here is taken
from the package but the weights.
"""

import numpy as np


def groups_of(features, groups):
    """Deal the features out to the groups in turn; then put each group's side by side."""
    sizes = [0] * groups
    for feature in range(features):
        sizes[feature % groups] += 1
    return [group for group, size in enumerate(sizes) for _ in range(size)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def may_see(mask_type, in_group, out_group):
    """Say whether a map sees another at the pixel itself (paper, section 3.4)."""
    return in_group < out_group or (mask_type == "B" and in_group == out_group)


def masked_convolution(maps, kernel, bias, mask_type, in_groups, out_groups, dilation=1):
    """Convolve with the mask of section 3.4; `kernel` is (out, in, rows, width), own row last."""
    _, height, width = maps.shape
    rows, columns = kernel.shape[2:]
    own = np.array([[may_see(mask_type, i, o) for i in in_groups] for o in out_groups])
    result = np.zeros((len(out_groups), height, width))
    for r in range(height):
        for c in range(width):
            if bias is not None:
                result[:, r, c] = bias
            for row in range(rows):
                for column in range(columns):
                    up, right = row - (rows - 1), column - columns // 2
                    if mask_type == "above" and up == 0:
                        continue  # a layer of the rows above alone
                    if up == 0 and right > 0 and mask_type != "vertical":
                        continue  # later in the order
                    y, x = r + up * dilation, c + right * dilation
                    if not (0 <= y < height and 0 <= x < width):
                        continue
                    weights = kernel[:, :, row, column]
                    if up == 0 and right == 0 and mask_type != "vertical":
                        weights = np.where(own, weights, 0.0)
                    result[:, r, c] += weights @ maps[:, y, x]
    return result


def lstm_cell(sums, cell_before):
    """Equation 3: the gates' sums are in the order input, forget, output, candidate."""
    i, f, o, g = np.split(sums, 4)
    cell = sigmoid(f) * cell_before + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def gate(sums, groups):
    """Equation 2 of the Gated PixelCNN: of each group, the first half of its sums is a, the second b."""
    result, first = np.zeros((len(groups), *sums.shape[1:])), 0
    for group in sorted(set(groups)):
        mine = [n for n, each in enumerate(groups) if each == group]
        a = sums[first : first + len(mine)]
        b = sums[first + len(mine) : first + 2 * len(mine)]
        result[mine] = np.tanh(a) * sigmoid(b)
        first += 2 * len(mine)
    return result


def attention(queries, keys, values, heads, rows):
    """Each pixel asks all before it, from so many rows above on, and one that says nothing."""
    height, width = queries.shape[1:]
    size = len(queries) // heads
    result = np.zeros(queries.shape)
    for n in range(height * width):
        r, c = divmod(n, width)
        for head in range(heads):
            mine, total = slice(head * size, (head + 1) * size), 1.0
            for other in range(max(0, r - rows) * width, n):
                place = divmod(other, width)
                weight = np.exp(np.sum(queries[mine, r, c] * keys[(mine, *place)]))
                result[mine, r, c] += weight * values[(mine, *place)]
                total += weight
            result[mine, r, c] /= total
    return result


def row_lstm(gates, state_to_state, initial_hidden, initial_cell):
    """Run down the rows; `gates` is (4h, H, W), `state_to_state` (taps, h, 4h), left tap first."""
    _, height, width = gates.shape
    reach = len(state_to_state) // 2
    hidden = np.zeros((len(initial_hidden), height, width))
    cell = np.zeros_like(hidden)
    for r in range(height):
        for c in range(width):
            sums = gates[:, r, c].copy()
            for tap, weights in enumerate(state_to_state):
                x = c + tap - reach
                above = hidden[:, r - 1, x] if r > 0 and 0 <= x < width else initial_hidden
                sums += above @ weights
            cell_above = cell[:, r - 1, c] if r > 0 else initial_cell
            hidden[:, r, c], cell[:, r, c] = lstm_cell(sums, cell_above)
    return hidden


def one_direction(gates, from_above, from_left, initial_hidden, initial_cell):
    """Run from the upper left corner: every cell reads the one above and the one to the left."""
    _, height, width = gates.shape
    hidden = np.zeros((len(initial_hidden), height, width))
    cell = np.zeros_like(hidden)
    for r in range(height):
        for c in range(width):
            above = hidden[:, r - 1, c] if r > 0 else initial_hidden
            left = hidden[:, r, c - 1] if c > 0 else initial_hidden
            cell_left = cell[:, r, c - 1] if c > 0 else initial_cell
            sums = gates[:, r, c] + above @ from_above + left @ from_left
            hidden[:, r, c], cell[:, r, c] = lstm_cell(sums, cell_left)
    return hidden


def diagonal_bilstm(gates, state_to_state, initial_hidden, initial_cell):
    """Add both directions, the one from the right moved down a row.

    `gates` is (2 * 4h, H, W), left to right first; `state_to_state` (2, 2, h, 4h): for each
    direction the weights of the upper, then of the left (or right) neighbour.
    """
    left_gates, right_gates = np.split(gates, 2)
    result = one_direction(left_gates, *state_to_state[0], initial_hidden[0], initial_cell[0])
    mirrored = right_gates[:, :, ::-1]
    right = one_direction(mirrored, *state_to_state[1], initial_hidden[1], initial_cell[1])
    right = right[:, :, ::-1]
    for r in range(1, result.shape[1]):
        result[:, r] += right[:, r - 1]
    return result
