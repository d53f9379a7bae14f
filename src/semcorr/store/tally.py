"""How many items this process has computed so far, for the record of what a job cost."""

from dataclasses import dataclass


@dataclass
class Tally:
    """Items computed by this process, without those that an earlier, killed job had finished.

    Attributes:
        items: computed, failed ones included.
        failed: of them, rows of the manifest with a status other than ok.
        seconds: that the items took, without what came before (start, networks) and after (packing).
    """

    items: int = 0
    failed: int = 0
    seconds: float = 0.0


TALLY = Tally()
