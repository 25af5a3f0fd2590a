"""Maps as pictures: one scale for all images, brighter for more bits, red where more than expected."""

import numpy as np

from pixelrnn.scoring import Scorer
from pixelrnn.scoring.maps import pictures_of, shades_of_bits, shades_of_ratio, write_maps


def test_more_bits_are_brighter():
    bits = np.linspace(0, 24, 50)[None]
    lightness = shades_of_bits(bits, 3, 256).astype(int) @ [299, 587, 114]
    assert (np.diff(lightness[0]) > 0).all()
    assert shades_of_bits(np.array([[0.0, 30.0]]), 3, 256)[0].tolist() == [
        [0, 0, 0],
        [255, 255, 200],
    ]


def test_a_blind_guess_is_the_brightest_whatever_the_levels():
    for channels, num_levels in ((1, 2), (1, 17), (3, 256)):
        most = np.array([[channels * np.log2(num_levels)]])
        assert shades_of_bits(most, channels, num_levels)[0, 0].tolist() == [255, 255, 200]


def test_blue_is_less_and_red_is_more():
    less, none, more = shades_of_ratio(np.array([[-12.0, 0.0, 12.0]]), 3)[0].astype(int)
    assert less[2] > less[0]
    assert more[0] > more[2]
    assert len(set(none.tolist())) == 1


def test_files(model, images, tmp_path):
    found = Scorer(model, background=model)(images(2))
    pictures = pictures_of(found.measured, 1, 1, 9)
    assert set(pictures) == {"bits", "ratio"}
    write_maps(tmp_path / "maps", "below/a.png", pictures)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert names == {"maps/bits/below/a.png", "maps/ratio/below/a.png"}
    assert set(pictures_of(Scorer(model)(images(1)).measured, 0, 1, 9)) == {"bits"}
