"""One test a case of the fixtures."""

import fixture_tree


def pytest_generate_tests(metafunc):
    """Give tests with an argument `case_dir` one run per case, named `<system>-<case>`."""
    if "case_dir" in metafunc.fixturenames:
        folders = fixture_tree.to_compare(fixture_tree.root())
        ids = [f"{folder.parent.name}-{folder.name}" for folder in folders]
        metafunc.parametrize("case_dir", folders, ids=ids)
