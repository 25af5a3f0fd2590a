"""Try damaged and hostile files: `python tests/fuzz.py --cases 100000`; `--first` goes on from there.

Each case is drawn from its own number and the seed. It must end in one of two ways, within 5 seconds of the
processor: an error of `pixelrnn.errors`, or the right images. All of them together take at most 256 MB more
than the sound files did. The last line is a summary in JSON; a case that fails is printed, to be run again
by `--first NUMBER --cases 1`.
"""

import argparse
import collections
import faulthandler
import functools
import json
import resource
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

MOST_BYTES, MOST_SECONDS, WATCHDOG_SECONDS = 256 << 20, 5, 120
SHARES = {"compressed": 10, "programs": 4, "weights": 2, "data": 4}  # of 20 cases


def kinds_in(folder):
    """What makes and tries the cases of each kind; it reads the sound files once."""
    from fuzzing.compressed import Compressed
    from fuzzing.data_sets import DataFiles
    from fuzzing.models import Programs, Weights
    from pixelrnn.coding import codec, program_file
    from pixelrnn.stepper.coder import Coder

    # Loaded and laid out once, not for each case; what is loaded from files is not among these.
    program_file.load_program = functools.cache(program_file.load_program)
    codec.Coder = functools.cache(Coder)
    type_of_program = type(program_file.load_program("digits-pixelcnn").program)
    type_of_program.__hash__ = object.__hash__
    kinds = {
        "compressed": Compressed(),
        "programs": Programs(folder),
        "weights": Weights(folder),
        "data": DataFiles(folder),
    }
    for content, images, *_ in kinds["compressed"].sound:
        assert kinds["compressed"].attempt(content, images)
    for kind in ("programs", "weights"):
        for sound in kinds[kind].sound:
            assert kinds[kind].attempt(sound.content, 0)
    return kinds


def kind_of(number):
    """Which kind a case is of."""
    return [kind for kind, share in SHARES.items() for _ in range(share)][number % 20]


def try_case(kinds, seed, number):
    """Run a case; return how it ended: "refused", "read", or what is wrong with that."""
    from pixelrnn.errors import PixelRNNError

    kind = kinds[kind_of(number)]
    content, expected = kind.case(np.random.default_rng([seed, number]))
    began = time.process_time()
    faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
    try:
        kind.attempt(content, expected)
        ended = "read"
    except PixelRNNError as error:
        ended = "refused" if str(error).strip() and "\n" not in str(error) else f"a line? {error!r}"
    except Exception:
        ended = traceback.format_exc()
    finally:
        faulthandler.cancel_dump_traceback_later()
    seconds = time.process_time() - began
    return ended if seconds <= MOST_SECONDS else f"{seconds:.1f} seconds, {ended}"


def peak_bytes():
    """The most memory that this process had so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run(seed, first, cases, *, say):
    """Run cases; return the summary."""
    warnings.simplefilter("error")
    with tempfile.TemporaryDirectory() as folder:
        kinds = kinds_in(Path(folder))
        ends, failed, before = collections.Counter(), [], peak_bytes()
        highest, began = before, time.process_time()
        for number in range(first, first + cases):
            ended = try_case(kinds, seed, number)
            if ended not in ("read", "refused"):
                failed.append(number)
                say(f"case {number} ({kind_of(number)}): {ended}")
            ends[f"{kind_of(number)} {ended if ended in ('read', 'refused') else 'failed'}"] += 1
            if peak_bytes() > highest + (16 << 20):
                highest = peak_bytes()
                say(f"case {number} ({kind_of(number)}): {(highest - before) >> 20} MB more")
            if (number + 1 - first) % 5000 == 0:
                say(f"{number + 1 - first:,} cases, {len(failed)} failed")
    more = peak_bytes() - before
    return {
        "seed": seed, "first": first, "cases": cases, "failed": failed, "ends": dict(sorted(ends.items())),
        "megabytes_more": more >> 20, "cpu_seconds": round(time.process_time() - began, 1),
        "good": not failed and more <= MOST_BYTES,
    }  # fmt: skip


def main():
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    summary = run(
        options.seed, options.first, options.cases, say=functools.partial(print, flush=True)
    )
    print(json.dumps(summary))  # noqa: T201
    return 0 if summary["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
