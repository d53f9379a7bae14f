"""Our functions against outputs of the published implementations (fixtures/<system>/README.md).

SEMCORR_FIXTURES names another root of cases; they may have other seeds, shapes and sizes.
"""

import json
from importlib import import_module

import numpy as np
import pytest
import torch
from cases import NO_STAGE, STAGE_OF, SYSTEMS
from compare import PROPERTY, Arrays, compare
from fixture_tree import COPIES, cases_under, not_compared, root
from tracing import DirectCalls


def read(path):
    with np.load(path) as archive:
        return dict(archive)


@pytest.fixture(autouse=True)
def one_thread():
    """Equal sums on every machine, and no quarrel over cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_parity(case_dir, record_property):
    system, name = SYSTEMS[case_dir.parent.name], case_dir.name
    if name not in system.cases:
        pytest.fail(f"unknown case {name!r}: give it an adapter and a row in tests/parity/cases.py")
    row = system.cases[name]
    adapter = import_module(f"adapters.{row.adapter}")
    calls = DirectCalls(adapter.__file__)
    with calls:
        found = getattr(adapter, f"case_{name}")(case_dir)
    arrays = Arrays(
        case=json.loads((case_dir / "case.json").read_text()),
        inputs=read(case_dir / "inputs.npz"),
        expected=read(case_dir / "expected.npz"),
        found=found,
    )
    results = compare(arrays)
    for result in results:
        record_property(PROPERTY, f"{case_dir.parent.name}-{name} {result}")
    wrong = [str(result) for result in results if not result.passed]
    assert not wrong, "\n".join(wrong)
    assert results, "the case expects nothing"
    assert calls.functions <= set(row.functions), "the adapter calls more than its row says"
    if case_dir.is_relative_to(COPIES):
        assert calls.functions == set(row.functions), "the row says more than the adapter calls"


def test_what_is_not_compared_is_reported(record_property):
    for line in not_compared(root()):
        record_property(PROPERTY, line)
    assert any(system in SYSTEMS for system in cases_under(root())), f"no case under {root()}"


def test_all_cases_of_implemented_systems_are_in_the_test_tree():
    there = {system: {c.name for c in cases} for system, cases in cases_under(COPIES).items()}
    for name, system in SYSTEMS.items():
        assert there[name] == system.cases.keys() | system.later.keys()


def test_every_function_has_its_place():
    """Functions of the cases and those with or without a stage are the same."""
    used = {f for s in SYSTEMS.values() for case in s.cases.values() for f in case.functions}
    assert used == STAGE_OF.keys() | NO_STAGE.keys()
    assert not STAGE_OF.keys() & NO_STAGE.keys()
