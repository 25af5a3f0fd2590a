"""Files of models: integer programs and float weights, damaged in their bytes, structure and arrays."""

import json

import numpy as np
import torch
from safetensors.numpy import save

from fuzzing.damage import damaged, damaged_array, damaged_text, damaged_tree, pick
from pixelrnn.coding import load_program, program_file, program_structure
from pixelrnn.models import PixelCNNConfig, RowLSTMConfig, build, store
from pixelrnn.stepper.coder import Coder

PROGRAMS = ("digits-row-lstm", "colour-diagonal-bilstm", "digits-pixelcnn")


class _Tensors:
    """A safetensors file: arrays, metadata, and one entry of it that is JSON."""

    def __init__(self, arrays, metadata, key):
        self.arrays, self.metadata, self.key = arrays, metadata, key
        self.content = save(arrays, metadata)

    def case(self, draw):
        """The file, damaged somewhere."""
        way = draw.integers(5)
        if way == 0:
            return damaged(draw, self.content)
        if way == 1:  # in its header, where most says something
            size = 8 + int.from_bytes(self.content[:8], "little")
            return damaged(draw, self.content[:size]) + self.content[size:]
        arrays, metadata = dict(self.arrays), dict(self.metadata)
        if way == 2:
            for _ in range(pick(draw, [1, 1, 3])):
                name = pick(draw, sorted(arrays))
                arrays[name] = damaged_array(draw, arrays[name])
        elif way == 3:
            metadata[self.key] = damaged_text(draw, json.loads(metadata[self.key]))
        else:
            metadata[self.key] = json.dumps(damaged_tree(draw, json.loads(metadata[self.key])))
            if not draw.integers(4):
                name = pick(draw, sorted(arrays))
                arrays[f"{name}0"] = arrays.pop(name)
        return save(arrays, metadata)


class Programs:
    """Integer programs; what is let pass must code images exactly."""

    def __init__(self, folder):
        self.file = folder / "program.safetensors"
        self.sound = []
        for name in PROGRAMS:
            structure, arrays = program_structure.take_apart(load_program(name).program)
            metadata = {"format": program_file.FORMAT, "format_version": "1", "name": name}
            metadata["structure"] = program_file._canonical(structure)
            self.sound.append(_Tensors(arrays, metadata, "structure"))

    def case(self, draw):
        """A file, and an image's seed."""
        return pick(draw, self.sound).case(draw), int(draw.integers(1000))

    def attempt(self, content, seed):
        """Load a program; code an image if it is let pass."""
        self.file.write_bytes(content)
        program = load_program(self.file).program
        shape = (4, 5, program.channels)
        image = (
            np.random.default_rng(seed).integers(program.num_levels, size=shape).astype(np.uint8)
        )
        coder = Coder(program)
        np.testing.assert_array_equal(coder.decode(coder.encode(image), *shape), image)
        return True


class Weights:
    """Float models; what is let pass must score images."""

    def __init__(self, folder):
        self.file = folder / "model.safetensors"
        torch.manual_seed(0)
        small = {
            "channels": 1,
            "features": 4,
            "head_features": 4,
            "layers": 1,
            "stem_kernel_size": 3,
        }
        self.sound = []
        for kind in (PixelCNNConfig, RowLSTMConfig):
            model = build(kind(**small, num_levels=5, likelihood={"kind": "categorical"}))
            arrays = {name: value.numpy() for name, value in model.state_dict().items()}
            config = json.dumps(model.config.model_dump(mode="json"))
            metadata = {"format": store.FORMAT, "format_version": "1", "config": config}
            self.sound.append(_Tensors(arrays, metadata, "config"))

    def case(self, draw):
        """A file, and nothing."""
        return pick(draw, self.sound).case(draw), None

    def attempt(self, content, _):
        """Load a model, and score an image by it."""
        self.file.write_bytes(content)
        model = store.load(self.file)
        shape = (1, model.config.channels, 3, 4)
        assert model.log_prob(torch.zeros(shape, dtype=torch.uint8)).shape == (1,)
        return True
