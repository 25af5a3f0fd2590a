"""What a piece of work takes, held to what any file may: 256 MB and 5 seconds of the processor."""

import time
import tracemalloc

MOST_BYTES, MOST_SECONDS = 256 << 20, 5


class spending:  # noqa: N801 - it reads as what is done
    """Measures memory and the processor's time."""

    def __enter__(self):
        tracemalloc.start()
        self._began = time.process_time()
        return self

    def __exit__(self, *_):
        self.seconds = time.process_time() - self._began
        _, self.bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert self.seconds < MOST_SECONDS
        assert self.bytes < MOST_BYTES
