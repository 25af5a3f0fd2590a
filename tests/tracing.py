"""What a layer by itself is said to depend on, by its taps."""

import numpy as np

from pixelrnn.graph.program import LikelihoodParameters, Program
from pixelrnn.graph.reach import receptive_field
from pixelrnn.graph.traced import Traced, parts
from pixelrnn.ordering import Place


def reach_of(layer, in_groups, group, pixel, shape):
    """Return which inputs `(in, H, W)` the outputs of a group at a pixel depend on."""
    num_groups = int(max(in_groups)) + 1
    program = Program(channels=len(in_groups), num_levels=2, groups=num_groups)
    program.image = program.new_map(len(in_groups))
    outputs = layer(Traced(program, program.image, np.array(in_groups)))
    by_group = tuple(outputs.features.part(*part) for _, _, part in parts(outputs.groups))
    program.likelihood = LikelihoodParameters("categorical", by_group)
    return receptive_field(program, Place(*pixel, group), height=shape[0], width=shape[1])
