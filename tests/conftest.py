"""Nothing is skipped by accident, and what tests record for the reader is printed at the end.

There are four reasons to skip: a missing CUDA device (tests marked `cuda`), on a machine with one a missing
package that users install themselves (those marked `cuda(package)`), a missing Slurm (those marked
`cluster`), and for tests that act as several users (marked `users`) that somebody else than root runs them.
Any other skip, and every expected failure, is a failure of that test.
"""

import importlib.util
import os

import pytest

REASON = "no CUDA device"
OPTIONAL = ("nvdiffrast", "spconv")  # CUDA only and not on the index as one wheel for all
NOT_ROOT = "only root can act as several users"
NO_SLURM = "Skipped: no Slurm: "  # how the reason of tests marked `cluster` begins
# `record_property("print: <heading>", line)` prints the line under the heading when all tests are done
PRINTED = "print: "


def pytest_collection_modifyitems(items):
    """Skip tests marked `cuda` without a device or the package named, `users` without root.

    torch is loaded only if there are any of the former.
    """
    marked = [item for item in items if item.get_closest_marker("cuda")]
    device = bool(marked) and _cuda()
    for item in marked:
        missing = [name for name in _needed(item) if not _installed(name)]
        if not device or missing:
            reason = f"{missing[0]} is not installed" if device else REASON
            item.add_marker(pytest.mark.skip(reason=reason))
    if not _root():
        for item in items:
            if item.get_closest_marker("users"):
                item.add_marker(pytest.mark.skip(reason=NOT_ROOT))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item):
    """Turn skips and expected failures into failures."""
    report = yield
    if hasattr(report, "wasxfail"):
        _fail(report, f"{item.nodeid} is marked xfail: {report.wasxfail}")
        del report.wasxfail
    elif report.skipped and not (report.when == "setup" and _may_skip(item, _reason(report))):
        _fail(report, f"{item.nodeid} was skipped: {_reason(report)}")
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector):
    """Turn files that skip themselves (importorskip) into errors."""
    report = yield
    if report.skipped:
        _fail(report, f"{collector.nodeid} was skipped as a whole: {_reason(report)}")
    return report


@pytest.fixture
def site(monkeypatch):
    """A synthetic Objaverse on loopback, as the hub that all downloads of this process ask."""
    from objaverse_site import Site

    for name in ("SEMCORR_MIRROR", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    site = Site()
    monkeypatch.setenv("HF_ENDPOINT", site.endpoint)
    yield site
    site.close()


def pytest_terminal_summary(terminalreporter):
    """Print the lines that tests recorded. Here, not deeper: workers' reports end in this process."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, ())]
    found: dict[str, list[str]] = {}
    for name, line in (entry for r in reports for entry in getattr(r, "user_properties", ())):
        if name.startswith(PRINTED):
            found.setdefault(name.removeprefix(PRINTED), []).append(line)
    for heading, lines in found.items():
        terminalreporter.section(heading)
        for line in lines:
            terminalreporter.write_line(line)
    if os.environ.get("SUITE_NOTE"):  # what .ci/run has to say of tests that it ran before these
        terminalreporter.write_line(os.environ["SUITE_NOTE"])


def _may_skip(item, reason: str) -> bool:
    if item.get_closest_marker("cuda"):
        named = {f"Skipped: {name} is not installed" for name in _needed(item) if name in OPTIONAL}
        return not _cuda() or reason in named
    if item.get_closest_marker("users"):
        return not _root()
    return bool(item.get_closest_marker("cluster")) and reason.startswith(NO_SLURM)


def _needed(item) -> list[str]:
    return [name for mark in item.iter_markers("cuda") for name in mark.args]


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def _root() -> bool:
    return os.geteuid() == 0


def _reason(report) -> str:
    # (file, line, "Skipped: reason")
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


def _fail(report, text: str) -> None:
    report.outcome = "failed"
    report.longrepr = (
        f"{text}\nOnly tests marked `cuda`, `cluster` or `users` may skip (tests/conftest.py)."
    )
