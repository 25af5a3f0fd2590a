"""The verdict: one sentence in plain words, and what has to be known to read it rightly."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pixelrnn.report import formats, seeds
from pixelrnn.report.comparison import Difference, Entry, Group
from pixelrnn.uncertainty import MIN_PICTURES, no_verdict
from pixelrnn.wording import joined

CLEAR_STANDARD_ERRORS = 3.0


@dataclass(frozen=True)
class Verdict:
    """One sentence as HTML, remarks that qualify it, and warnings about the comparison."""

    sentence: Markup
    remarks: tuple[str, ...]
    warnings: tuple[str, ...]


def verdict(group: Group) -> Verdict:
    """Judge the runs of one group."""
    evaluated = group.evaluated
    if not evaluated:
        sentence = _not_measured(group)
    elif len(evaluated) == 1:
        sentence = _alone(group, evaluated[0])
    else:
        sentence = _compared(group)
    return Verdict(sentence, tuple(_remarks(group)), tuple(_warnings(group)))


def _not_measured(group: Group) -> Markup:
    first = group.entries[0]
    validation = first.run.result.validation_bits_per_dim
    if validation is None:
        return Markup("Nothing has been measured yet on the test images of {}.").format(
            first.run.result.data
        )
    if len(group.entries) == 1:
        return Markup(
            "<strong>{}</strong> has not been measured on the test images of {}; on its validation "
            "images it costs {} bits/dim."
        ).format(first.name, first.run.result.data, formats.bits(validation))
    return Markup(
        "Which model is best on the test images of {} is not known: none was measured on them; on "
        "the validation images <strong>{}</strong> is lowest with {} bits/dim."
    ).format(first.run.result.data, first.name, formats.bits(validation))


def _alone(group: Group, entry: Entry) -> Markup:
    sentence = Markup("On {}, <strong>{}</strong> costs {} ± {} bits/dim").format(
        _test_images(group),
        entry.name,
        formats.bits(entry.test_bits_per_dim),
        formats.error(group.standard_error(entry)),
    )
    if entry.twins:
        sentence += Markup(", the mean of {} seeds, whose standard deviation is {}").format(
            len(entry.runs), formats.error(entry.deviation)
        )
    if len(group.entries) > 1:
        return sentence + "; the other models were not measured on them."
    return sentence + "; no other model was measured on them."


def _compared(group: Group) -> Markup:
    best, *others = group.evaluated
    following, gaps = others[0], [group.behind(entry) for entry in others]
    if reason := no_verdict(group.num_pictures or 0):
        return _too_few(group, following, gaps[0], reason)
    tied = [entry for entry, gap in zip(others, gaps, strict=True) if not gap.survives]
    if tied:
        return _undecided(group, [best, *tied], group.behind(tied[0]))
    gap = gaps[0]
    sure = "clear" if gap.standard_errors >= CLEAR_STANDARD_ERRORS else "likely"
    return Markup(
        "On {}, <strong>{}</strong> is best with {} bits/dim: {} ± {} less than {}, the next, "
        "a {} difference of {} standard errors.{}"
    ).format(
        _test_images(group),
        best.name,
        formats.bits(best.test_bits_per_dim),
        formats.bits(gap.mean),
        formats.error(gap.standard_error),
        following.name,
        sure,
        formats.number(gap.standard_errors, 2),
        seeds.in_the_verdict(group, gaps),
    )


def _undecided(group: Group, tied: Sequence[Entry], gap: Difference) -> Markup:
    names = [Markup("<strong>{}</strong>").format(entry.name) for entry in tied]
    models = Markup(" and ").join(
        [Markup(", ").join(names[:-1]), names[-1]] if len(names) > 1 else names
    )
    return Markup(
        "On {}, {} are not distinguishable: {} has the lowest mean, {} bits/dim, but {} is {}{} ± {} "
        "behind{}."
    ).format(
        _test_images(group),
        models,
        tied[0].name,
        formats.bits(tied[0].test_bits_per_dim),
        tied[1].name,
        "" if gap.distinguishable else "only ",
        formats.bits(gap.mean),
        formats.error(gap.standard_error),
        seeds.why_undecided(gap),
    )


def _too_few(group: Group, following: Entry, gap: Difference, reason: str) -> Markup:
    best = group.evaluated[0]
    return Markup(
        "{}, and {} are needed to tell models apart. On {}, <strong>{}</strong> has the lowest mean, "
        "{} bits/dim; <strong>{}</strong> is {} ± {} behind."
    ).format(
        reason.capitalize(),
        MIN_PICTURES,
        _test_images(group),
        best.name,
        formats.bits(best.test_bits_per_dim),
        following.name,
        formats.bits(gap.mean),
        formats.error(gap.standard_error),
    )


def _test_images(group: Group) -> str:
    return f"the {group.images_in_words} of {group.first.result.data}"


def _remarks(group: Group) -> list[str]:
    remarks = []
    best = group.best
    if best is not None:
        remarks.extend(_against_baselines(group, best))
    if len(group.evaluated) > 1:
        paired = all(entry.per_image is not None for entry in group.evaluated)
        remarks.append(
            f"± is one standard error of the mean over {_counted(group)}; differences "
            + (
                "are taken image by image. "
                if paired
                else "whose images are not paired are wider. "
            )
            + "It does not cover the luck of the seed"
            + (
                ". "
                if any(entry.twins for entry in group.evaluated)
                else ": each row is one training run."
            )
            + seeds.remark(group)
        )
    elif best is not None:
        remarks.append(f"± is one standard error of the mean over {_counted(group)}.")
        if reason := no_verdict(group.num_pictures or 0):
            remarks.append(f"{reason.capitalize()}: the standard error itself is uncertain.")
    return remarks


def _counted(group: Group) -> str:
    """Say what was averaged, and that patches of one picture do not count as independent."""
    if group.num_pictures == group.num_images:
        return group.images_in_words
    return f"{group.images_in_words}, whole pictures being what is independent"


def _against_baselines(group: Group, best: Entry) -> list[str]:
    lines = [line for line in group.baselines() if line.test_bits_per_dim is not None]
    ours = best.test_bits_per_dim
    if not lines or ours is None:
        return []
    lowest = lines[0]
    theirs = lowest.test_bits_per_dim or 0.0
    share = 100 * abs(1 - ours / theirs) if theirs else 0.0
    outcome = f"saves {share:.1f} %" if ours < theirs else f"does not beat it, by {share:.1f} %"
    return [
        f"The lowest line to beat is {lowest.name} at {formats.bits(theirs)} bits/dim; "
        f"{best.name} {outcome}."
    ]


def _warnings(group: Group) -> list[str]:
    found = []
    results = [entry.run.result for entry in group.entries]
    unmeasured = [entry.name for entry in group.entries if not entry.evaluated]
    if unmeasured:
        found.append(
            f"Not measured on test: {joined(unmeasured)}. “pixelrnn evaluate RUN” does it."
        )
    unfinished = [entry.name for entry in group.entries if not entry.run.result.finished]
    if unfinished:
        found.append(f"Training was not finished: {joined(unfinished)}.")
    if len({result.data_sha256.train for result in results}) > 1:
        found.append("The models were trained on different images, though tested on the same ones.")
    if len({result.data_sha256.validation for result in results}) > 1:
        found.append("Validation bits/dim are of different images and cannot be compared.")
    seen = [
        f"{entry.name} {formats.count(entry.run.result.image_presentations)}"
        for entry in group.entries
    ]
    if len({result.image_presentations for result in results}) > 1:
        found.append(f"Not equally long training, in image presentations: {joined(seen)}.")
    return found
