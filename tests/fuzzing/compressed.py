"""Compressed files: damaged as they are, with checksums repaired, and made up from nothing."""

import io
import struct
import zlib

import numpy as np
import torch

from fuzzing.damage import VARINTS, damaged, pick
from pixelrnn.coding import Album, Codec, load_program, name_model, write
from pixelrnn.coding.container import FOOTER, Header
from pixelrnn.coding.tiles import Tiling
from pixelrnn.coding.varints import varint
from pixelrnn.models import PixelCNNConfig, build

MODELS = ("digits-pixelcnn", "colour-pixelcnn", "colour-row-lstm")
MOST_PIXELS = 1 << 21  # decoded of an image that is let pass: time goes with pixels


class Compressed:
    """Sound files, and cases made of them."""

    def __init__(self):
        draw, self.sound = np.random.default_rng(0), []
        for model in MODELS:
            program = load_program(model)
            levels = program.program.num_levels
            shapes = [(5, 6, 3), (3, 4, 1), (7, 3, 4), (1, 1, 2)]
            images = [
                (levels // 2 + draw.normal(size=shape).cumsum(axis=1))
                .clip(0, levels - 1)
                .astype(np.uint8)
                for shape in shapes
            ]
            images.append(np.zeros((9, 9, 3), np.uint8))
            for tile in (0, 4):
                stream = io.BytesIO()
                named = zip(["a.png", "", "ü", "b" * 30, "z"], images, strict=True)
                write(Codec(program, tile=tile, threads=1), named, stream)
                self.sound.append((stream.getvalue(), images, program))
        self.given = given_model()
        some = [np.clip(image, 0, 4) for image in images]
        for tile in (0, 4):
            stream = io.BytesIO()
            named = zip(["a.png", "", "ü", "b" * 30, "z"], some, strict=True)
            codec = Codec(self.given, tile=tile, threads=1)
            write(codec, named, stream, label_of=lambda name: len(name) % 3, factor=2)
            with Album(stream, threads=1, coding_model=self.given) as album:
                both = [image.transpose(1, 2, 0) for image in album]
            self.sound.append((stream.getvalue(), both, self.given))

    def case(self, draw):
        """A file, and the images that it must give if it is read: None if any will do."""
        content, images, program = pick(draw, self.sound)
        way = draw.integers(6)
        if way < 2:
            return damaged(draw, content, pick(draw, self.sound)[0]), images
        header, body, index = parts(content)
        if way == 2:
            return header + repaired(body, damaged(draw, index)), None
        if way == 3:
            header = made_up_header(draw, program)
            return header + repaired(body, index), None
        body = pick(draw, [b"", draw.bytes(draw.integers(1, 3000)), b"\xff" * 50, bytes(50), body])
        channels, tile = program.program.channels, pick(draw, [0, 1, 4, 128])
        version = pick(draw, [1, 1, 2])
        own = Header(program.name, channels, program.hash[:16], tile, version)
        index = made_up_index(draw, len(body), Tiling(channels, tile) if way == 5 else None)
        if version == 2:
            index += draw.integers(5, size=draw.integers(1, 200), dtype=np.uint8).tobytes()
        return own.to_bytes() + repaired(body, index), None

    def attempt(self, content, images):
        """Read a file as users do; return whether it was let pass."""
        model = self.given if self.given.hash[:16] in content[:64] else None
        with Album(io.BytesIO(content), threads=1, coding_model=model) as album:
            assert album.num_pixels <= album.num_dims
            assert len(album.names) == len(album)
            if images is not None:
                for found, expected in zip(album.in_turn(), images, strict=True):
                    np.testing.assert_array_equal(found, expected)
                return True
            for n in sorted({0, len(album) // 2, len(album) - 1} & set(range(len(album)))):
                entry = album.entries[n]
                if entry.height * entry.width <= MOST_PIXELS:
                    assert album[n].shape == (entry.bands, entry.height, entry.width)
        return True


def given_model():
    """A model of colour images of five levels that are given a class, and small images."""
    condition = {"kind": "small", "features": 3, "layers": 1, "kernel_size": 3}
    about = {"features": 4, "layers": 1, "head_features": 4, "num_labels": 3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(PixelCNNConfig(num_levels=5, condition=condition, **about))
    return name_model("given", model.coder().program)


def parts(content):
    """Header, messages and index of a file."""
    (length, _) = FOOTER.unpack(content[-FOOTER.size :])
    header = 6 + content[5] + 23
    return content[:header], content[header : -8 - length], content[-8 - length : -8]


def repaired(body, index):
    """Messages, index and its footer."""
    return body + index + struct.pack("<II", len(index), zlib.crc32(index))


def made_up_header(draw, program):
    """A header with a right checksum and anything in it."""
    name = pick(draw, [program.name.encode(), b"", b"x" * 64, b"x" * 65, b"\xff", draw.bytes(9)])
    digest = pick(draw, [program.hash[:16], draw.bytes(16)])
    rest = struct.pack("<BH", pick(draw, [0, 1, 2, 3, 255]), pick(draw, [0, 1, 2, 7, 128, 65535]))
    start = b"\x89PXR" + bytes([pick(draw, [1, 1, 2, 0, 3]), len(name)]) + name + digest + rest
    return start + struct.pack("<I", zlib.crc32(start))


def made_up_index(draw, body_bytes, tiling):
    """An index of shapes at the limits; with a tiling all other parts fit them, else some do not."""
    sane, runs = tiling is not None, []
    for _ in range(pick(draw, [1, 1, 1, 2, 50, 0])):
        sides = [1, 1, 2, 5, 64, 129, 1000, 4000, *([] if sane else VARINTS)]
        count, bands = pick(draw, [1, 1, 1, 2, 30, 1000]), pick(draw, [1, 2, 3, 3, 4])
        if not sane and not draw.integers(3):
            count, bands = pick(draw, [0, 30_000, 2**40]), pick(draw, [0, 3, 5])
        runs.append((count, bands, pick(draw, sides), pick(draw, sides)))
    count = sum(run[0] for run in runs)
    index = varint(count if sane or draw.integers(8) else pick(draw, VARINTS))
    for n, bands, height, width in runs:
        index += varint(n) + bytes([bands]) + varint(height) + varint(width)
    few = min(count, 40_000)
    index += bytes(4 * few)
    messages = pick(draw, [few, 2 * few, 3 * few, draw.integers(1, 60_000)])
    if sane:
        messages = sum(n * tiling.count(height, width, bands) for n, bands, height, width in runs)
    index += lengths_of(draw, messages, body_bytes, sane=sane)
    zeros = bytes(max(few - 1, 0))
    names = pick(
        draw,
        [
            b"",
            zlib.compress(zeros),
            *([] if sane else [zlib.compress(bytes(1 << 20)), draw.bytes(9)]),
        ],
    )
    return index + varint(len(names)) + names


def lengths_of(draw, messages, body_bytes, *, sane):
    """Lengths of messages that share the bytes there are: all to the first one, or spread."""
    messages = min(messages, 100_000)
    if not messages:
        return b""
    if not sane and not draw.integers(3):
        return varint(pick(draw, VARINTS)) + bytes(messages - 1)
    ends = np.sort(draw.integers(body_bytes + 1, size=messages - 1)) if draw.integers(2) else []
    sizes = np.diff([0, *ends, body_bytes])
    bare = draw.integers(10) == 0
    return b"".join(varint(2 * int(size) + bare) for size in sizes) + bytes(messages - len(sizes))
