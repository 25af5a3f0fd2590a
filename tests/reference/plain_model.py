"""The skeleton in plain numpy: stem, blocks, head, likelihood, for one image.

It takes a model's configuration and weights, and never calls the model.
"""

import numpy as np
import pytest

from reference import plain_layers, plain_likelihoods
from reference.plain_layers import groups_of, masked_convolution


def number_of_groups(config):
    return config.channels if config.likelihood.kind == "categorical" else 1


def array(tensor):
    return None if tensor is None else tensor.detach().numpy()


def convolve(module, maps, mask_type, in_groups, out_groups, dilation=1):
    kernel, bias = array(module.kernel()), array(module.bias)
    return masked_convolution(maps, kernel, bias, mask_type, in_groups, out_groups, dilation)


def relu(maps):
    return np.where(maps > 0, maps, 0.0)


def network(model, image):
    """Return the parameters `(groups, maps, H, W)` of an image `(C, H, W)` of levels."""
    config = model.config
    if config.kind not in (*BLOCKS, "gated-pixelcnn", "pixel-snail"):
        pytest.skip(f"{config.kind} has no plain version here: write its block in plain loops")
    groups = number_of_groups(config)
    values = 2 * image.astype(np.float64) / (config.num_levels - 1) - 1
    maps, colours = values, groups_of(config.channels, groups)
    if config.alphabet == "symbols":
        maps, colours = looked_up(array(model.symbols.rows), image)
    if config.border_channel:
        maps = np.concatenate([maps, np.ones_like(maps[:1])])
        colours = [*colours, 0]
    stream = groups_of(2 * config.features, groups)
    inner = groups_of(config.features, groups)
    pixels, outputs = maps, []
    maps = convolve(model.stem, pixels, "A", colours, stream)
    if config.kind == "gated-pixelcnn":
        rows_above = convolve(model.vertical_stem, pixels, "above", colours, [0] * config.features)
        outputs = gated_outputs(config, model.blocks, rows_above, maps, stream, inner)
    elif config.kind == "pixel-snail":
        outputs = snail_outputs(config, model.blocks, maps, pixels, (colours, stream, inner))
    else:
        for index, block in enumerate(model.blocks):
            maps = maps + BLOCKS[config.kind](config, block, index, maps, stream, inner)
            outputs.append(maps)
    parameters = head(config, model.head, outputs, stream, groups)
    parameters = parameters.reshape(groups, -1, *image.shape[1:])
    if config.likelihood.kind == "logistic-mixture":
        together = [0] * config.channels
        prediction = 0.05 * convolve(model.prediction.conv, values, "A", together, together)
        parameters = np.concatenate([parameters, prediction[None]], axis=1)
    return parameters


def looked_up(tables, image):
    """Return the row of its table for each symbol of each channel, and the colour group of each feature."""
    maps, colours = [], []
    for channel, table in enumerate(tables):
        for feature in range(table.shape[1]):
            maps.append([[table[symbol, feature] for symbol in row] for row in image[channel]])
            colours.append(channel)
    return np.array(maps), colours


def head(config, module, outputs, stream, groups):
    hidden = groups_of(config.head_features, groups)
    maps = convolve(module.first, relu(outputs[-1]), "B", stream, hidden)
    if config.skip_connections:
        for skip, output in zip(module.skips, outputs[:-1], strict=True):
            maps = maps + convolve(skip, relu(output), "B", stream, hidden)
    for layer in module.hidden:
        maps = convolve(layer, relu(maps), "B", hidden, hidden)
    count = len(module.output.bias)
    last = [group for group in range(groups) for _ in range(count // groups)]
    return convolve(module.output, relu(maps), "B", hidden, last)


def pixelcnn_block(config, module, index, maps, stream, inner):
    dilation = config.dilations[index % len(config.dilations)]
    inside = convolve(module.into, relu(maps), "B", stream, inner)
    inside = convolve(module.conv, relu(inside), "B", inner, inner, dilation)
    return convolve(module.out, relu(inside), "B", inner, stream)


def row_lstm_block(config, module, index, maps, stream, inner):
    lstm = module.lstm
    gates = convolve(lstm.input_to_state, maps, "B", stream, inner * 4)
    h = config.features
    hidden = plain_layers.row_lstm(
        gates,
        array(lstm.recurrence.state_to_state)[0].reshape(config.kernel_size, h, 4 * h),
        array(lstm.recurrence.initial_hidden)[0],
        array(lstm.recurrence.initial_cell)[0],
    )
    return convolve(module.out, hidden, "B", inner, stream)


def diagonal_bilstm_block(config, module, index, maps, stream, inner):
    lstm = module.lstm
    gates = convolve(lstm.input_to_state, maps, "B", stream, inner * 8)
    h = config.features
    hidden = plain_layers.diagonal_bilstm(
        gates,
        array(lstm.recurrence.state_to_state).reshape(2, 2, h, 4 * h),
        array(lstm.recurrence.initial_hidden),
        array(lstm.recurrence.initial_cell),
    )
    return convolve(module.out, hidden, "B", inner, stream)


def gated_outputs(config, blocks, vertical, maps, stream, inner):
    """Run both stacks; return the horizontal one's maps behind every block."""
    outputs, sums = (
        [],
        [group for group in range(max(inner) + 1) for _ in range(2 * inner.count(group))],
    )
    one = [0] * config.features
    for index, block in enumerate(blocks):
        dilation = config.dilations[index % len(config.dilations)]
        above = convolve(block.vertical, vertical, "vertical", one, 2 * one, dilation)
        both = convolve(block.horizontal, maps, "B", stream, sums, dilation)
        both = both + convolve(block.link, above, "B", 2 * one, sums)
        maps = maps + convolve(block.out, plain_layers.gate(both, inner), "B", inner, stream)
        vertical = plain_layers.gate(above, one)
        outputs.append(maps)
    return outputs


def snail_outputs(config, blocks, maps, pixels, groups):
    """Run gated blocks, each followed by attention if it has one; return the maps behind each."""
    (colours, stream, inner), outputs = groups, []
    sums = [group for group in range(max(inner) + 1) for _ in range(2 * inner.count(group))]
    first = [0] * config.heads * config.head_size
    both = [max(inner)] * 2 * len(first)
    for index, block in enumerate(blocks):
        dilation = config.dilations[index % len(config.dilations)]
        inside = convolve(block.into, relu(maps), "B", stream, inner)
        inside = convolve(block.conv, relu(inside), "B", inner, sums, dilation)
        maps = maps + convolve(block.out, plain_layers.gate(inside, inner), "B", inner, stream)
        if (config.layers - 1 - index) % config.attention_every == 0:
            layer = block.attention
            query = convolve(layer.query, maps, "B", stream, first)
            memory = convolve(layer.memory, maps, "B", stream, both)
            memory = memory + convolve(layer.pixels, pixels, "B", colours, both)
            rows = config.attention_rows
            heads = plain_layers.attention(query, *np.split(memory, 2), config.heads, rows)
            maps = maps + convolve(layer.out, heads, "B", first, stream)
        outputs.append(maps)
    return outputs


BLOCKS = {
    "pixelcnn": pixelcnn_block,
    "row-lstm": row_lstm_block,
    "diagonal-bilstm": diagonal_bilstm_block,
}


def log_prob_map(model, image):
    """Return the nats of every sub-pixel of an image `(C, H, W)`."""
    config = model.config
    parameters = network(model, image)
    result = np.zeros(image.shape)
    for r in range(image.shape[1]):
        for c in range(image.shape[2]):
            here, levels = parameters[:, :, r, c], image[:, r, c].tolist()
            match config.likelihood.kind:
                case "categorical":
                    result[:, r, c] = plain_likelihoods.categorical(here, levels)
                case "logistic-mixture":
                    result[:, r, c] = plain_likelihoods.logistic_mixture(
                        here[0], levels, config.num_levels, config.likelihood.components
                    )
                case kind:
                    pytest.skip(f"{kind} has no plain version here: write it in plain loops")
    return result
