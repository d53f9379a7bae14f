"""Answers dry runs of the workflow quickly: imports Snakemake once, then forks a child for each request.

A child calls Snakemake's own command line function with the arguments that a shell would pass (profiles
included); nothing is mocked. What it plans is taken from the log records of its jobs, since the `message`
of a rule replaces the list of outputs in the text. `test_scale.py` compares it with a real process.

One request a line on stdin: {"folder", "arguments", "environment", "answer": path}; one line `done` on stdout
for each. The answer is JSON: {"code", "jobs": [{"rule", "wildcards", "outputs", ...}], "text"}.
"""

import json
import logging
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import snakemake.cli
import snakemake.logging

# Imported by every run once it is under way: here once for all children
IMPORTED_LATE = (
    "nbformat",
    "smart_open",
    "snakemake.executors.dryrun",
    "snakemake.report",
    "snakemake.script",
)


class Jobs(logging.Filter):
    """Keeps what is announced of every job."""

    def __init__(self):
        super().__init__()
        self.found = []

    def filter(self, record):
        if str(getattr(record, "event", None)) in ("job_info", "LogEvent.JOB_INFO"):
            self.found.append(
                {
                    "rule": record.rule_name,
                    "outputs": [str(path) for path in record.output],
                    "benchmark": str(record.benchmark or ""),
                    "reason": record.reason,
                    "wildcards": dict(record.wildcards or {}),
                }
            )
        return True


def answer(request):
    """Run one dry run in this (forked) process."""
    os.chdir(request["folder"])
    os.environ.update(request.get("environment", {}))
    jobs = Jobs()
    snakemake.logging.logger.addFilter(jobs)
    with tempfile.TemporaryFile() as text:
        for descriptor in (1, 2):
            os.dup2(text.fileno(), descriptor)
        code = 0
        try:
            snakemake.cli.main(request["arguments"])
        except SystemExit as stop:
            code = stop.code or 0
        sys.stdout.flush()
        sys.stderr.flush()
        text.seek(0)
        output = text.read().decode()
    Path(request["answer"]).write_text(
        json.dumps({"code": code, "jobs": jobs.found, "text": output})
    )


def warm_up():
    """Import what every dry run imports, and hash the code once."""
    for name in IMPORTED_LATE:
        import_module(name)
    snakemake.cli.get_argument_parser()  # finds the plugins
    import semcorr.planning  # noqa: F401
    from semcorr.fingerprint import PACKAGE, ROOT, fingerprint

    names = (".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts))
             for path in sorted(ROOT.rglob("*.py")) if path.name != "__init__.py")  # fmt: skip
    fingerprint(*names)


def main():
    """Serve until stdin ends, as many children at once as there are processors."""
    warm_up()
    children: set[int] = set()
    at_once = max(1, len(os.sched_getaffinity(0)))

    def collect():
        children.remove(os.waitpid(-1, 0)[0])
        os.write(1, b"done\n")

    for line in sys.stdin:
        request = json.loads(line)
        if len(children) >= at_once:
            collect()
        child = os.fork()
        if child == 0:
            try:
                answer(request)
            finally:
                os._exit(0)
        children.add(child)
        if request.get("last"):
            while children:
                collect()


if __name__ == "__main__":
    main()
