"""Which runs are one model, and what the page calls each: a given name, or what tells them apart."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelrnn.errors import RecipeError
from pixelrnn.runs import Run
from pixelrnn.wording import without_surrogates


def by_model(runs: Sequence[Run], labels: Mapping[Path, str]) -> list[tuple[Run, ...]]:
    """Return the runs by model, in the order given; the runs of one by their seeds, the lowest first.

    Runs of one model differ in their seed alone, and were measured on the same test images. Those that
    the user calls differently, by `labels`, are kept apart; those that were not measured stand alone.
    """
    alike: dict[Any, list[Run]] = {}
    for run in runs:
        result = run.result
        data = (result.data_sha256.model_dump_json(), result.num_levels, result.split)
        kind = (labels.get(run.path), result.label, run.recipe_but_seed, data, result.num_images)
        alone = id(run) if result.test_bits_per_dim is None else None
        alike.setdefault((*kind, result.finished, alone), []).append(run)
    places = {id(run): place for place, run in enumerate(runs)}
    found = [family for members in alike.values() for family in _by_seed(members)]
    return sorted(found, key=lambda family: min(places[id(run)] for run in family))


def _by_seed(members: Sequence[Run]) -> list[tuple[Run, ...]]:
    """Return them as one, if each has a seed of its own."""
    if len({run.seed for run in members} - {None}) < len(members):
        return [(run,) for run in members]
    return [tuple(sorted(members, key=lambda run: run.seed or 0))]


def names_of(runs: Sequence[Run], given: Mapping[Path, str]) -> list[str]:
    """Return a name for each run, all different.

    Args:
        runs: the runs.
        given: names of some of them or all, by their paths. Runs that get none are called by their model,
            and where they share it, also by what tells them apart: the recipe's name, the seed, the
            folder, the path, or a number.

    Raises:
        RecipeError: if the same name is given to two.

    Example:
        >>> names_of([], {})
        []
    """
    rest = iter(_by_themselves([run for run in runs if run.path not in given]))
    found = [given[run.path] if run.path in given else next(rest) for run in runs]
    for name in found:
        if found.count(name) > 1:
            raise RecipeError(f"two runs would be called {name}: give each a --label of its own")
    return found


def given_labels(runs: Sequence[Run], labels: Sequence[str]) -> dict[Path, str]:
    """Return the labels that are given to runs, by their paths.

    Args:
        runs: the runs.
        labels: in the order of the runs, as many as there are; or each as `RUN=LABEL`, with RUN the path
            or the name of a run's folder, for some of them or all.

    Raises:
        RecipeError: if labels are too few or too many, of no run, or cannot be shown.
    """
    by_run = [found for label in labels if (found := _by_run(runs, label)) is not None]
    if len(by_run) == len(labels):
        return {run.path: _clean(label) for run, label in by_run}
    if by_run or len(labels) != len(runs):
        known = ", ".join(without_surrogates(str(run.path)) for run in runs)
        raise RecipeError(
            f"there are {len(runs)} runs and {len(labels)} labels: give one for each in the order of the "
            f"runs, or write --label RUN=LABEL with RUN out of {known}"
        )
    return {run.path: _clean(label) for run, label in zip(runs, labels, strict=True)}


def _by_run(runs: Sequence[Run], text: str) -> tuple[Run, str] | None:
    """Return the run and the label of `RUN=LABEL`; nothing where what is before a "=" is no run."""
    for sign in (at for at, letter in enumerate(text) if letter == "="):
        name, label = text[:sign], text[sign + 1 :]
        matches = [run for run in runs if run.path.resolve() == Path(name).resolve()]
        matches = matches or [run for run in runs if run.path.resolve().name == name]
        if len(matches) > 1:
            raise RecipeError(f"--label {text}: {len(matches)} runs are called {name}, give a path")
        if matches:
            return matches[0], label
    return None


def _clean(label: str) -> str:
    label = without_surrogates(label).strip()
    if not label or not label.isprintable():
        raise RecipeError(f"the label {label!r} cannot be shown: give it letters")
    return label


def _by_themselves(runs: Sequence[Run]) -> list[str]:
    names = []
    for run in runs:
        label = run.result.label
        alike = [each for each in runs if each.result.label == label]
        words = zip(alike, _telling_apart(alike), strict=True)
        word = next(word for each, word in words if each is run)
        names.append(f"{label} ({word})" if len(alike) > 1 else label)
    return names


def _telling_apart(runs: Sequence[Run]) -> list[str]:
    paths = [run.path.resolve() for run in runs]
    choices: Iterable[list[str]] = (
        [run.result.name for run in runs],
        [f"seed {run.seed}" for run in runs],
        [without_surrogates(path.name) for path in paths],
        [without_surrogates("/".join(path.parts[-2:])) for path in paths],
        [str(number) for number in range(1, len(runs) + 1)],
    )
    return next(words for words in choices if len(set(words)) == len(runs))
