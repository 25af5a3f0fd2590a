"""`Scorer` and `score`: how unusual images are, each by one number and by one map."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from pixelrnn.arrays import Floats
from pixelrnn.errors import DataError, ImageMismatchError
from pixelrnn.models import AutoregressiveModel, store
from pixelrnn.models.given_images import AnyImages
from pixelrnn.scoring import kinds  # noqa: F401 - registers the scores
from pixelrnn.scoring.base import MODEL, SCORES, Columns, Score
from pixelrnn.scoring.measuring import Measured, Measurer
from pixelrnn.wording import counted

MIN_NORMAL = 20
"""Fewer normal images say too little of what is normal."""

PREFERRED = ("density", "typicality", "complexity", MODEL)
"""Which score is one image's one number: the first that there is."""

AnyModel = AutoregressiveModel | str | Path


@dataclass(frozen=True)
class Scores:
    """How unusual N images are; higher is more unusual.

    Attributes:
        values: by score, `(N,)`; which there are depends on what the scorer has.
        p_values: likewise, where normal images are known: the share of them that are as unusual.
        measured: what the images cost.
        chosen: the score that is shown where one is wanted.
    """

    values: Mapping[str, Floats]
    p_values: Mapping[str, Floats]
    measured: Measured
    chosen: str

    def __repr__(self) -> str:
        """Say how many images were scored, and by what."""
        return f"Scores({counted(len(self.value), 'image')}, by {', '.join(self.values)})"

    def __getitem__(self, kind: str) -> Floats:
        """Return one score of all images, `(N,)`."""
        return self.values[kind]

    @property
    def value(self) -> Floats:
        """How unusual each image is, `(N,)`, by the chosen score."""
        return self.values[self.chosen]

    @property
    def p_value(self) -> Floats:
        """The share of normal images that are as unusual, `(N,)`, by the chosen score."""
        return self.p_values[self.chosen]

    @property
    def map(self) -> Floats:
        """Bits of each pixel, `(N, H, W)`; beyond the background model's, if there is one."""
        ratio = self.measured.ratio_map
        return self.measured.maps[MODEL] if ratio is None else ratio


class Scorer:
    """Scores images by a model; with normal images, also by how far from those they are.

    Args:
        model: the model, or what `pixelrnn.load` takes. It may be given something of the images
            (`AutoregressiveModel.given`): one for all, or one for each of those that are scored.
        background: a model to compare with: one of a smaller field, or of other images; None for none.
        codec: "png", "webp" or "jpeg-xl", or "none".
        by: the score that is one image's one number; by default the best that there is.
        device: where models that are loaded here run.
        batch_size: images at a time: memory and speed, not the result.

    Raises:
        RecipeError: if there is no such codec.
        UnknownKindError: if there is no such score.
        DataError: if the score wanted needs what is not given.

    Example:
        >>> from pixelrnn.data import load
        >>> digits = load("digits")
        >>> scorer = Scorer("digits-pixelcnn").fit(digits.images("validation"))
        >>> found = scorer(16 - digits.images("test")[:20])  # black on white
        >>> found.value.shape, found.map.shape, bool(found.p_value.max() < 0.05)
        ((20,), (20, 8, 8), True)
    """

    def __init__(
        self,
        model: AnyModel,
        *,
        background: AnyModel | None = None,
        codec: str = "png",
        by: str | None = None,
        device: str = "cpu",
        batch_size: int = 50,
    ) -> None:
        def loaded(each: AnyModel) -> AutoregressiveModel:
            return (
                each if isinstance(each, AutoregressiveModel) else store.load(each, device=device)
            )

        behind = None if background is None else loaded(background)
        self.measure = Measurer(loaded(model), behind, codec, batch_size)
        self._by = by
        self._normal: dict[str, Floats] = {}  # of those set aside for p-values, sorted
        self._calibration: Columns = {}
        if by is not None and not self.measure.measures.issuperset(SCORES[by].needs):
            raise DataError(
                f"the score {by} needs {_lacking(SCORES[by], self.measure.measures)}, which is not given"
            )
        self.scores = self._made(is_fitted=False)

    def _made(self, *, is_fitted: bool) -> dict[str, Score]:
        return {
            kind: score()
            for kind, score in SCORES.items()
            if self.measure.measures.issuperset(score.needs) and (is_fitted or not score.is_fitted)
        }

    @property
    def chosen(self) -> str:
        """The score that is one image's one number.

        Raises:
            DataError: if it is one that needs normal images, and there are none yet.
        """
        if self._by is not None and self._by not in self.scores:
            raise DataError(f"the score {self._by} needs normal images to compare with")
        return self._by or next(kind for kind in PREFERRED if kind in self.scores)

    def fit(self, normal: AnyImages, on_progress: Callable[[int], None] = lambda _: None) -> Self:
        """Learn from held-out normal images what is normal; see `fit_measured`.

        Args:
            normal: uint8 `(N, C, H, W)`, which the model was not trained on; at least 20.
            on_progress: called with the images done since its last call.

        Raises:
            ImageMismatchError: if the images do not fit the model, or the model is given something of each
                of other images.
        """
        if self.measure.is_given_each:
            raise ImageMismatchError(
                "the model is given something of each image to score, which normal images are not given: "
                "measure them by the model given theirs, Scorer(model.given(...)).measure(normal).columns, "
                "and give that to fit_measured"
            )
        return self.fit_measured(self.measure(normal, on_progress).columns)

    def fit_measured(self, normal: Columns) -> Self:
        """Learn from measurements of normal images what is normal.

        Every second one, from the first, is what scores are distances from; the others are what p-values
        are ranks among: images that a score was fitted to would rank too low in it.

        Raises:
            DataError: if there are fewer than 20.
        """
        count = len(normal[MODEL])
        if count < MIN_NORMAL:
            raise DataError(
                f"{counted(count, 'normal image')} cannot say what is normal: give {MIN_NORMAL} or "
                "more, or none (--reference none)"
            )
        self.scores = self._made(is_fitted=True)
        for score in self.scores.values():
            score.fit({name: each[::2] for name, each in normal.items()})
        self._calibration = {name: each[1::2] for name, each in normal.items()}
        self._normal = {k: np.sort(each) for k, each in self.values(self._calibration).items()}
        return self

    def __call__(self, images: AnyImages) -> Scores:
        """Score images of one size.

        Args:
            images: uint8 `(N, C, H, W)`, values below the model's number of levels.

        Raises:
            ImageMismatchError: if the images do not fit the model.
        """
        measured = self.measure(images)
        values = self.values(measured.columns)
        return Scores(values, self.p_values(values), measured, self.chosen)

    def values(self, measured: Columns) -> dict[str, Floats]:
        """Return all scores of measured images."""
        return {kind: score(measured) for kind, score in self.scores.items()}

    def p_values(self, values: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return how many normal images are as unusual as each, as a share, by score.

        (1 + how many of n) / (1 + n): of an image like the normal ones, it is below any level at most that
        often (Vovk, Gammerman and Shafer 2005, "Algorithmic Learning in a Random World", section 2.2).
        Nothing without normal images.
        """
        return {kind: _shares(normal, values[kind]) for kind, normal in self._normal.items()}

    def group(
        self, means: Mapping[str, float], size: int, *, seed: int = 0, replicates: int = 1000
    ) -> dict[str, tuple[float, float]]:
        """Return how unusual some images are together, and the p-value of that, by score.

        The mean measurements are scored. The p-value is the share of as large groups of normal images,
        drawn with replacement, that are as unusual (Nalisnick et al. 2019, arXiv 1906.02994, algorithm 1).

        Args:
            means: of the measurements of the group.
            size: how many images are in it.
            seed: of the draws.
            replicates: how many groups are drawn.

        Raises:
            DataError: if no normal images are known.
        """
        if not self._normal:
            raise DataError("a group is compared with normal images: fit them first")
        found = self.values({name: np.array([mean]) for name, mean in means.items()})
        drawn = self.values(_drawn_means(self._calibration, size, seed, replicates))
        return {
            kind: (float(value[0]), float(_shares(np.sort(drawn[kind]), value)[0]))
            for kind, value in found.items()
        }


def _drawn_means(columns: Columns, size: int, seed: int, replicates: int) -> dict[str, Floats]:
    """Return the mean measurements of groups drawn with replacement, `(replicates,)` each."""
    count = len(next(iter(columns.values())))
    draws = np.random.default_rng(seed)
    weights = draws.multinomial(size, np.full(count, 1 / count), size=replicates) / size
    return {name: weights @ each for name, each in columns.items()}


def _shares(normal: Floats, values: Floats) -> Floats:
    as_unusual = len(normal) - np.searchsorted(normal, values, side="left")
    share: Floats = (1 + as_unusual) / (1 + len(normal))
    return share


def _lacking(score: type[Score], measures: frozenset[str]) -> str:
    return " and ".join(name for name in score.needs if name not in measures)


def score(
    model: AnyModel,
    images: AnyImages,
    *,
    normal: AnyImages | None = None,
    background: AnyModel | None = None,
    codec: str = "png",
    by: str | None = None,
    device: str = "cpu",
) -> Scores:
    """Return how unusual images are to a model: one value and one map each, higher is more unusual.

    Args:
        model: the model, or what `pixelrnn.load` takes.
        images: uint8 `(N, C, H, W)`.
        normal: held-out images like those that the model was trained on, at least 20: with them there are
            scores that do not take simple images for usual ones, and p-values.
        background: a model to compare with; see `Scorer`.
        codec: "png", "webp" or "jpeg-xl", or "none".
        by: a key of `scoring.SCORES`; by default the best that there is.
        device: where models that are loaded here run.

    Example:
        >>> from pixelrnn.data import load
        >>> digits = load("digits")
        >>> found = score("digits-pixelcnn", digits.images("test")[:3])
        >>> found.chosen, found.value.shape, found.map.shape
        ('complexity', (3,), (3, 8, 8))
    """
    scorer = Scorer(model, background=background, codec=codec, by=by, device=device)
    return (scorer if normal is None else scorer.fit(normal))(images)
