"""What a large set must not exceed, and what of it a measurement exceeds."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """For a list of up to so many objects: CPU seconds to plan it, jobs; None = no limit."""

    objects: int
    plan_s: float | None
    jobs: int | None


LIMITS = (Limits(10_000, 30, 600), Limits(100_000, 180, None))
# of one stage and chunk
FILES = 60


def missed(objects: int, plan_s: float, jobs: int) -> list[str]:
    """Return a line for each limit that a plan of so many objects exceeds."""
    for limits in LIMITS:
        if objects <= limits.objects:
            found = []
            if limits.plan_s is not None and plan_s >= limits.plan_s:
                found.append(f"{objects} objects: {plan_s:.1f} s to plan, target {limits.plan_s} s")
            if limits.jobs is not None and jobs >= limits.jobs:
                found.append(f"{objects} objects: {jobs} jobs, target below {limits.jobs}")
            return found
    return []


def too_many_files(stages: dict[str, float]) -> list[str]:
    """Return a line for each stage one of whose chunks has more than FILES files."""
    return [
        f"{stage}: {count:.0f} files a chunk, at most {FILES}"
        for stage, count in stages.items()
        if count > FILES
    ]
