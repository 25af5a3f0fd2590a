"""How long an audit may take, and how far it came."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

OnProgress = Callable[[float], None]


@dataclass
class Clock:
    """The time of an audit, of which each part of the work has a share; what it leaves is for the others.

    Attributes:
        seconds: for the whole audit.
        on_progress: called with the share of the audit done since its last call.
    """

    seconds: float
    on_progress: OnProgress = lambda share: None
    began: float = field(default_factory=time.monotonic)
    told: float = 0.0

    def until(self, share: float) -> Callable[[], bool]:
        """Return what says whether there is time left, of a share of what is left of the whole."""
        now = time.monotonic()
        end = now + share * max(0.0, self.began + self.seconds - now)

        def is_time_left() -> bool:
            self.tell()
            return time.monotonic() < end

        return is_time_left

    def tell(self) -> None:
        """Tell how much of the time has gone."""
        share = min(1.0, (time.monotonic() - self.began) / self.seconds)
        self.on_progress(share - self.told)
        self.told = share
