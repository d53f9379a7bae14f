"""Prints what was compared, with the largest errors, at the end of the session."""

import fixture_tree
from compare import PROPERTY


def pytest_generate_tests(metafunc):
    """Give tests with an argument `case_dir` one run per case, named `<system>-<case>`."""
    if "case_dir" in metafunc.fixturenames:
        folders = fixture_tree.to_compare(fixture_tree.root())
        ids = [f"{folder.parent.name}-{folder.name}" for folder in folders]
        metafunc.parametrize("case_dir", folders, ids=ids)


def pytest_terminal_summary(terminalreporter):
    """Print the lines that tests recorded."""
    reports = [r for kind in ("passed", "failed") for r in terminalreporter.stats.get(kind, ())]
    lines = [
        v for r in reports for name, v in getattr(r, "user_properties", ()) if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("parity: largest error (tolerance)")
        for line in lines:
            terminalreporter.write_line(line)
