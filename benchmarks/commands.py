"""The verbs of `pixelrnn bench`."""

import typer

from benchmarks.codec_command import codec
from benchmarks.sample_command import sample
from benchmarks.train_command import train
from pixelrnn.cli.options import Verb, Verbs

app = typer.Typer(cls=Verbs)
for verb in (sample, train, codec):
    app.command(cls=Verb)(verb)
