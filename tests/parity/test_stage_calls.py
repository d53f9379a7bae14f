"""An end-to-end run under trace: what parity compares is what the stages call."""

import json
from pathlib import Path

import pytest
from cases import NO_STAGE, STAGE_OF
from chain import Chain
from compare import PROPERTY
from fixture_tree import COPIES
from tracing import StageCalls

from semcorr.store.manifest import read_manifest

MESH = COPIES / "nsr/cameras_and_normalisation/model.obj"
POINTS = COPIES / "nsr/part_ground_truth/points.txt"


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Stages that called each function while the whole chain ran."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("chain"))
        chain = Chain(MESH, POINTS)
        calls = StageCalls([*STAGE_OF, *NO_STAGE])
        with calls:
            chain.run()
        for path in Path("results").glob("*/**/0.json"):
            rows = read_manifest(path).rows
            assert rows and all(row.status == "ok" for row in rows), f"{path}: {rows}"
        table = json.loads(Path("results/coseg/chair/states.json").read_text())
        assert table["methods"]["states"]["aligned"]["targets"], "no pair was scored"
    return calls.stages


@pytest.mark.parametrize("function", STAGE_OF)
def test_stage_calls_function(calls, function):
    assert STAGE_OF[function] in calls[function]


def test_functions_without_a_stage_are_reported(calls, record_property):
    for function, reason in NO_STAGE.items():
        record_property(PROPERTY, f"{function}: called by no stage of the run ({reason})")
    called = {function: calls[function] for function in NO_STAGE if calls[function]}
    assert not called, "a stage calls these now: move them to STAGE_OF in tests/parity/cases.py"
