"""What an integer program from elsewhere may be; see `coding/limits.py` for files."""

MAX_OPERATIONS = 1 << 12
MAX_MAPS = 1 << 12
MAX_FEATURES = 1 << 17  # of all maps together
MAX_REACH = 1024  # pixels, from the one at hand
MAX_ROW_NUMBERS = 1 << 24  # that are remembered, for an image of one column
MAX_INPUTS = 1 << 20  # of one tap
MAX_STEPS = 1 << 25  # at a pixel, see `checks.steps_of`: some tens of milliseconds
STEPS_PER_OPERATION = 64
STEPS_PER_GATE = 64  # curves looked up; of a number that is moved, or a weight: 1
SETTLE_STEPS = 512  # of a component of a colour: the decoder asks for it at eight levels
