"""Integer programs as files: what is saved comes back, and no file can do anything but code images."""

import struct

import numpy as np
import pytest

from pixelrnn.coding import load_program, name_model, program_file, save_program
from pixelrnn.errors import ModelFileError, OutputError
from pixelrnn.models import store
from pixelrnn.stepper.coder import Coder

# Of the programs made by hand: a change of the format, or of what any number in it does.
GOLDEN_HASHES = {
    "categorical": "1131ce285c2c7c71f17252ea22e3d361334191258f68e77bd384e37d946896b5",
    "logistic-mixture": "3b64e968c3b6721391c5d3b0c0821996500b41a32f5c5a2d64f76ef70f5762e8",
}
GOLDEN_MESSAGES = {
    "categorical": (
        "0570ead65320c77bc68948647e80894b32d33b081cf80d18630243aab1832bc8"
        "79d04d4e66bda81d71c4180eea05d80b66f15ade839b5c584d730433d72c"
    ),
    "logistic-mixture": (
        "1f62310fea5df8fa9b47b60a9b2a2442a600c50d5378f6f4fab37b15b5835f12"
        "29325ad1517f6275a96c7063b95070a70c6de3e6"
    ),
}


@pytest.fixture
def file(program_made_by_hand, tmp_path):
    path = tmp_path / "sound.safetensors"
    save_program(name_model("tiny", program_made_by_hand("logistic-mixture")), path)
    return path


# What is sound.


def test_what_is_saved_comes_back(
    kind, likelihood, channels, coding_model, smooth_images, tmp_path
):
    model, path = coding_model(kind, likelihood, channels, name="A name, Ω"), tmp_path / "a"
    save_program(model, path)
    loaded = load_program(path)
    assert (loaded.name, loaded.hash) == (model.name, model.hash)
    for image in smooth_images(3, channels, 6, 5).transpose(0, 2, 3, 1).copy():
        message = Coder(model.program).encode(image)
        assert Coder(loaded.program).encode(image) == message
        np.testing.assert_array_equal(Coder(loaded.program).decode(message, *image.shape), image)
    assert [each.name for each in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("of", GOLDEN_HASHES)
def test_a_program_has_the_same_hash_and_messages_on_every_machine(
    of, program_made_by_hand, image_made_by_hand
):
    """Files name programs by their hash, and are read for ever."""
    model, image = name_model("any", program_made_by_hand(of)), image_made_by_hand
    assert model.hash.hex() == GOLDEN_HASHES[of]
    coder = Coder(model.program)
    assert coder.encode(image).hex() == GOLDEN_MESSAGES[of]
    golden = bytes.fromhex(GOLDEN_MESSAGES[of])
    np.testing.assert_array_equal(coder.decode(golden, *image.shape), image)


def test_the_stored_program_is_sound_before_it_is_damaged(stored, check_that_images_come_back):
    check_that_images_come_back(stored.load().program)


def test_the_hash_is_of_everything_but_the_name(stored):
    def hash_of(arrays):
        return program_file._hash(stored.structure, arrays).hex()

    hashes = [hash_of(stored.arrays)]
    for where in list(stored.leaves()):
        inner, key = stored.around(where), where[-1]
        sound = inner[key]
        inner[key] = {int: 77, str: "other", bool: not sound}.get(type(sound), [0])
        hashes.append(hash_of(stored.arrays))
        inner[key] = sound
    for name, array in stored.arrays.items():
        other = array.copy()
        other.reshape(-1)[-1] ^= 1
        for change in (other, array.astype(np.uint64), array[None], array[..., :-1]):
            hashes.append(hash_of(stored.arrays | {name: change}))
    assert len(set(hashes)) == len(hashes) > 200
    model = stored.load()
    assert hashes[0] == model.hash.hex()
    assert name_model("another name", model.program).hash == model.hash
    stored.structure = dict(reversed(stored.structure.items()))
    assert hash_of(dict(reversed(stored.arrays.items()))) == hashes[0]


@pytest.mark.parametrize("name", ["", "a" * 65, "Ω" * 33, "two\nlines", "a\0b"])
def test_names_that_no_file_could_hold_are_refused(name, stored):
    with pytest.raises(ModelFileError, match="64 bytes of printable characters"):
        name_model(name, stored.load().program)
    stored.metadata["name"] = name
    stored.refused()


# What is not ours, or not whole.


def test_other_files_are_refused(tmp_path, tiny_model, file):
    store.save(tiny_model().float(), tmp_path)
    text = tmp_path / "text"
    text.write_text("a text, and not a short one " * 50)
    for path, expected in {
        tmp_path / "model.safetensors": "models export",
        tmp_path: "is a folder",
        text: "not a safetensors file",
        tmp_path / "none": "there is no model at",
        "digits-pixelcn": "did you mean digits-pixelcnn",
        "a" * 5000: "there is no model at",
    }.items():
        with pytest.raises(ModelFileError, match=expected):
            load_program(path)


def test_a_file_that_ends_early_is_refused(file):
    content = file.read_bytes()
    for size in [*range(12), len(content) // 3, len(content) - 100, len(content) - 1]:
        file.write_bytes(content[:size])
        with pytest.raises(ModelFileError, match="it is damaged"):
            load_program(file)


def test_a_flipped_bit_is_another_program_or_none(
    file, image_made_by_hand, check_that_images_come_back
):
    content, draw = file.read_bytes(), np.random.default_rng(0)
    header = 8 + struct.unpack("<Q", content[:8])[0]
    sound, image, refused = load_program(file), image_made_by_hand, 0
    message = Coder(sound.program).encode(image)
    for at in [*draw.integers(header, size=150), *draw.integers(header, len(content), 50)]:
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(draw.integers(8))
        file.write_bytes(damaged)
        try:
            loaded = load_program(file)
        except ModelFileError:
            refused += 1
        else:  # the name, what no operation reads, or another program
            same = Coder(loaded.program).encode(image) == message
            assert same or loaded.hash != sound.hash
            check_that_images_come_back(loaded.program)
    assert refused > 100


def test_a_file_larger_than_any_program_is_not_even_opened(file, monkeypatch):
    monkeypatch.setattr(program_file, "MAX_PROGRAM_BYTES", file.stat().st_size - 1)
    with pytest.raises(ModelFileError, match=r"bytes, more than the .* that are read"):
        load_program(file)


def test_a_place_that_cannot_be_written_is_said(stored, tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        save_program(stored.load(), tmp_path / "no" / "folder" / "a")


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2"])
def test_kinds_of_numbers_that_numpy_has_not_are_refused(dtype, file):
    content = file.read_bytes()
    at = content.index(b'"dtype":"I16","shape":[2]')
    changed = content[:at] + f'"dtype":"{dtype}","shape":[4]'.encode() + content[at + 25 :]
    size = struct.unpack("<Q", content[:8])[0] + len(changed) - len(content)
    file.write_bytes(struct.pack("<Q", size) + changed[8:])
    with pytest.raises(ModelFileError):
        load_program(file)
