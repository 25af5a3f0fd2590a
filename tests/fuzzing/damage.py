"""Ways to damage bytes, texts and trees of JSON."""

import copy
import json

import numpy as np

NUMBERS = [-1, 0, 1, 2, 3, 5, 127, 128, 255, 256, 2**15, 2**16, 2**20, 2**31, 2**63, 10**30, 1e308]
VALUES = [*NUMBERS, True, False, None, "", "x", "\ud800", [], [[]], {}, {"a": 1}, [0, 0, 1]]
VARINTS = [0, 1, 2, 3, 127, 128, 129, 16383, 16384, 2**20, 2**20 + 1, 2**27, 2**31, 2**62, 2**63]


def pick(draw, things):
    """One of some things."""
    return things[draw.integers(len(things))]


def damaged(draw, content, other=b""):
    """Bytes with a few things wrong with them; `other` is what parts may come from."""
    content = bytearray(content)
    for _ in range(pick(draw, [1, 1, 1, 2, 4])):
        content = bytearray(pick(draw, _WAYS)(draw, content, other or content))
    return bytes(content)


def _flip(draw, content, other):
    for bit in draw.integers(8 * max(len(content), 1), size=pick(draw, [1, 1, 2, 8])):
        if content:
            content[bit // 8] ^= 1 << (bit % 8)
    return content


def _set(draw, content, other):
    if content:
        content[draw.integers(len(content))] = pick(draw, [0, 1, 127, 128, 255])
    return content


def _cut(draw, content, other):
    return content[: draw.integers(len(content) + 1)]


def _take_out(draw, content, other):
    first, last = sorted(draw.integers(len(content) + 1, size=2))
    return content[:first] + content[last:]


def _put_in(draw, content, other):
    at = draw.integers(len(content) + 1)
    more = pick(draw, [draw.bytes(draw.integers(1, 20)), bytes(draw.integers(1, 300))])
    return content[:at] + more + content[at:]


def _splice(draw, content, other):
    first, at = draw.integers(len(other) + 1), draw.integers(len(content) + 1)
    return content[:at] + other[first : first + draw.integers(1, 400)] + content[at:]


_WAYS = [_flip, _flip, _flip, _set, _cut, _take_out, _put_in, _splice]


def damaged_tree(draw, tree):
    """A copy of what JSON can hold, with some leaves, lists or keys changed."""
    tree = copy.deepcopy(tree)
    for _ in range(pick(draw, [1, 1, 2, 3])):
        around = [tree]
        for inner in around:
            children = inner.values() if isinstance(inner, dict) else inner
            around += [child for child in children if isinstance(child, dict | list) and child]
        inner = pick(draw, [each for each in around if each])
        key = pick(draw, list(inner) if isinstance(inner, dict) else range(len(inner)))
        change = draw.integers(6)
        if change < 4:
            inner[key] = copy.deepcopy(pick(draw, VALUES))
        elif change == 4:
            del inner[key]
        elif isinstance(inner, list):
            inner += [copy.deepcopy(inner[key])] * pick(draw, [1, 2, 2000])
        else:
            inner[f"{key}_"] = inner[key]
        if not tree:
            break
    return tree


def damaged_text(draw, tree):
    """JSON that is damaged as a tree, or as a text."""
    if draw.integers(3):
        return json.dumps(damaged_tree(draw, tree))
    text = json.dumps(tree)
    at = draw.integers(len(text) + 1)
    more = pick(
        draw, ["[" * 5000, '{"a":1,"a":2}', "NaN", "-Infinity", '"\\ud800"', "9" * 5000, "\0", ","]
    )
    return text[:at] + more + text[at + draw.integers(20) :]


def damaged_array(draw, array):
    """An array of other numbers, another type or another shape."""
    change = draw.integers(6)
    if change == 0:
        with np.errstate(all="ignore"):
            return array.astype(pick(draw, ["int8", "int16", "int32", "int64", "float32", "uint8"]))
    if change == 1:
        return np.ascontiguousarray(
            pick(draw, [array[:0], array[None], array[:-1], array.T, array.ravel()])
        )
    array = array.copy()
    if array.dtype.kind in "iu" and array.size:
        info = np.iinfo(array.dtype)
        value = pick(draw, [info.min, info.max, 0, 1, -1 if info.min else 1, 31, 32])
        if change == 2:
            array[...] = value
        else:
            array.reshape(-1)[draw.integers(array.size)] = value
    elif array.size:
        array.reshape(-1)[draw.integers(array.size)] = pick(draw, [np.nan, np.inf, 1e38, 0])
    return array
