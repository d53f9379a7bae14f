"""The three ways in which work fails, told apart by type."""

PERMANENT_STATUSES = (
    *("failed", "missing", "modified", "outside", "bad_name", "duplicate", "upstream_failed"),
)


class SemcorrError(Exception):
    """Base of all errors whose message is meant for the user: it names the file and the remedy."""


class UserError(SemcorrError):
    """A wrong request (bad configuration, missing asset, wrong name): one clear line, exit code 1."""


class ItemError(SemcorrError):
    """Permanent failure of one item: becomes a manifest row (`status`, `reason`), never a crashed job.

    Raise it for what a retry cannot mend (corrupt file, no faces, NaN). Anything that a retry may mend
    (time-out, full disk, out of memory) must stay an ordinary exception, so that the job is retried.
    """

    def __init__(self, reason: str, status: str = "failed"):
        if status not in PERMANENT_STATUSES:
            raise ValueError(f"unknown status {status!r}, expected one of {PERMANENT_STATUSES}")
        super().__init__(reason)
        self.reason = reason
        self.status = status
