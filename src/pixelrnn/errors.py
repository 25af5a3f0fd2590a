"""The errors that users meet: each says what is wrong and what to do about it.

Everything raised on purpose derives from `PixelRNNError`; the command line turns it into one line on
standard error and the class's exit code. Anything else that escapes is a bug and keeps its traceback.
"""


class PixelRNNError(Exception):
    """Base of all errors meant for users; the message names the trouble and the remedy."""

    exit_code = 2


class DataError(PixelRNNError):
    """Images that cannot be read, or that would have to be changed to be read."""


class DownloadError(DataError):
    """A download that failed; the message says what to fetch by hand and where to put it."""


class RecipeError(PixelRNNError):
    """A recipe or a setting that does not exist, has the wrong type or is out of range."""


class UnknownKindError(PixelRNNError, KeyError):
    """A kind of model or likelihood that is not registered."""

    __str__ = Exception.__str__  # a KeyError puts its message into quotes


class AuditFailure(PixelRNNError):  # noqa: N818 - it reports what was found, like a test
    """A model that fails a check of an audit; what was found is shown."""

    exit_code = 1


class DisagreementError(PixelRNNError):
    """Figures of one model that cannot all be true: what was measured is shown, but not to be believed."""

    exit_code = 1


class ModelFileError(PixelRNNError):
    """A model file that is not ours, of a later version, damaged, or not of the right shape."""


class ExportError(PixelRNNError, ValueError):
    """A model whose weights do not fit integers of the widths that are asked for."""


class ImageMismatchError(PixelRNNError):
    """Images whose channels, levels or size do not fit the model."""


class SubjectError(PixelRNNError):
    """A model or function to be audited that cannot be asked: it raises, or gives what is no answer."""


class DeviceError(PixelRNNError):
    """A device to run on that does not exist, or not on this machine."""


class OutputError(PixelRNNError):
    """A file or folder that cannot be written."""


class InUseError(OutputError):
    """A folder or file that another process is at work in; the message says which."""


class NonFiniteLossError(PixelRNNError):
    """Training met a loss or a gradient that is not finite; the last good weights are kept."""


class NonFiniteResultError(PixelRNNError):
    """A figure that is not finite, which is no result: the weights are of no use."""


class TrainingInterrupted(PixelRNNError):  # noqa: N818 - an interruption is not a fault
    """Training was stopped by a signal; what was done is saved and can be resumed.

    Args:
        message: what was kept, and how to go on.
        signal_number: the signal, by default that of Ctrl-C; the exit code is 128 and its number.
    """

    def __init__(self, message: str, signal_number: int = 2) -> None:
        super().__init__(message)
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number


class ProcessLostError(PixelRNNError):
    """One of the processes that trained a model together is gone; what was saved can be resumed."""


class CompressedFileError(PixelRNNError):
    """A compressed file that is damaged, of a later version, or of a model that is not here."""


class CompilingError(PixelRNNError):
    """Loops that cannot be compiled as numba is set; the message names the setting."""


class MissingPartError(PixelRNNError):
    """A part of the project that is not installed here; the message says how to get it."""


class NotKeptWarning(UserWarning):
    """What was compiled cannot be kept, so that every start takes long; the message says what helps."""
