"""The loop: a killed training ends with the bytes of an uninterrupted one; full disks harm nothing."""

import errno
import math
import os

import pytest
import torch
from torch import nn

from semcorr.errors import UserError
from semcorr.training import checkpoint as checkpoints
from semcorr.training.checkpoint import FILE, Checkpoint, read_checkpoint, write_checkpoint
from semcorr.training.loop import ROWS, VALIDATIONS, Schedule, Training, _is_due, generator


class Line:
    """Fits y = 3 x - 1; can stop in the middle like a killed process."""

    def __init__(self, stop_at=None, bad_at=None):
        torch.manual_seed(0)
        self.networks = {"line": nn.Linear(1, 1)}
        self.stop_at, self.bad_at = stop_at, bad_at

    def loss(self, step):
        if step == self.stop_at:
            raise KeyboardInterrupt
        x = torch.randn(16, 1, generator=generator(7, "line", step))
        loss = (self.networks["line"](x) - (3 * x - 1)).square().mean()
        if step == self.bad_at:
            loss = loss * math.nan
        return loss, {"twice": 2 * float(loss.detach())}

    def validate(self):
        return {"slope": float(self.networks["line"].weight)}


def schedule(**changes):
    values = dict(
        steps=60, batch=16, learning_rate=0.1, weight_decay=0.01, warmup_steps=5, ema=0.9,
        clip_norm=1.0, precision="fp32", checkpoint_seconds=1e9,
    )  # fmt: skip
    return Schedule(**(values | changes))


def weights(objective):
    return torch.cat([p.detach().flatten() for p in objective.networks["line"].parameters()])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("stop_at", [1, 7, 33, 59])
def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path, stop_at, precision):
    plan = schedule(precision=precision)
    whole = Line()
    rows = Training(whole, plan, tmp_path / "whole").run()
    stopped = Line(stop_at=stop_at)
    # a checkpoint after every step: the last one before the stop counts
    with pytest.raises(KeyboardInterrupt):
        Training(
            stopped, schedule(precision=precision, checkpoint_seconds=0), tmp_path / "cut"
        ).run()
    assert read_checkpoint(tmp_path / "cut").step == stop_at
    resumed = Line()
    again = Training(resumed, plan, tmp_path / "cut").run()
    assert torch.equal(weights(whole), weights(resumed))
    assert rows == again


class WithUnused(Line):
    """A classifier's head, say: parameters that no loss reads and AdamW keeps no state for."""

    def __init__(self, stop_at=None):
        super().__init__(stop_at)
        # first, so that the places of the others differ
        self.networks = {"unused": nn.Linear(2, 3)} | self.networks


def test_a_training_with_parameters_without_gradient_resumes(tmp_path):
    whole = WithUnused()
    rows = Training(whole, schedule(), tmp_path / "whole").run()
    with pytest.raises(KeyboardInterrupt):
        Training(WithUnused(stop_at=7), schedule(checkpoint_seconds=0), tmp_path / "cut").run()
    assert not any("step/unused" in key for key in read_checkpoint(tmp_path / "cut").tensors)
    resumed = WithUnused()
    assert Training(resumed, schedule(), tmp_path / "cut").run() == rows
    for name in ("line", "unused"):
        before, after = (objective.networks[name] for objective in (whole, resumed))
        assert torch.equal(before.weight, after.weight) and torch.equal(before.bias, after.bias)


def test_the_average_is_what_remains_and_it_fits(tmp_path):
    objective = Line()
    training = Training(objective, schedule(steps=300), tmp_path)
    rows = training.run()
    assert torch.equal(
        weights(objective), torch.cat([v.flatten() for v in training.average.values()])
    )
    assert weights(objective).tolist() == pytest.approx([3, -1], abs=0.02)
    assert rows[-1]["loss"] < 1e-3 < rows[0]["loss"]


def test_history_has_growing_steps_means_and_validations(tmp_path):
    rows = Training(Line(), schedule(steps=1000), tmp_path).run()
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)) and steps[-1] == 1000 and len(rows) == ROWS
    assert sum("held_out_slope" in row for row in rows) == VALIDATIONS
    assert all(row["twice"] == pytest.approx(2 * row["loss"]) for row in rows)
    assert all(row["samples"] == row["step"] * 16 for row in rows)


def test_validation_does_not_touch_the_trained_weights(tmp_path):
    class Looking(Line):
        def validate(self):
            with torch.no_grad():
                self.networks["line"].weight.add_(0)
            return super().validate()

    a, b = Line(), Looking()
    Training(a, schedule(), tmp_path / "a").run()
    Training(b, schedule(), tmp_path / "b").run()
    assert torch.equal(weights(a), weights(b))


def test_rate_rises_then_falls_along_a_cosine():
    plan = schedule(steps=100, warmup_steps=10)
    rates = [plan.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.01) and rates[9] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(0.1) and rates[-1] < 0.003
    assert all(a >= b for a, b in zip(rates[10:], rates[11:], strict=False))


@pytest.mark.parametrize("steps", [3, 10, 999])
def test_marks_are_evenly_spaced(steps):
    due = [step for step in range(1, steps + 1) if _is_due(step, steps, 10)]
    assert len(due) == min(steps, 10) and due[-1] == steps


def test_a_loss_that_is_not_finite_stops_with_a_remedy(tmp_path):
    with pytest.raises(UserError, match="loss is nan at step 3.*learning_rate"):
        Training(Line(bad_at=3), schedule(), tmp_path).run()


def state(step):
    return Checkpoint(step, {"a": torch.arange(4.0) + step, "n": torch.tensor(3.0)}, {"rows": [1]})


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    write_checkpoint(tmp_path, state(5))
    found = read_checkpoint(tmp_path)
    assert found.step == 5 and found.notes == {"rows": [1]}
    assert torch.equal(found.tensors["a"], torch.arange(4.0) + 5) and found.tensors["n"].shape == ()


@pytest.mark.parametrize("where", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch, where):
    write_checkpoint(tmp_path, state(1))

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    if where == "write":
        monkeypatch.setattr(checkpoints, "write_bytes", full)
    else:
        monkeypatch.setattr(os, where, full)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(tmp_path, state(2))
    monkeypatch.undo()
    assert read_checkpoint(tmp_path).step == 1
    assert [p.name for p in tmp_path.iterdir()] == [FILE]


def test_a_failed_checkpoint_stops_the_training_and_the_next_try_goes_on(tmp_path, monkeypatch):
    whole = Line()
    Training(whole, schedule(), tmp_path / "whole").run()
    calls = []

    def sometimes_full(folder, checkpoint):
        calls.append(checkpoint.step)
        if len(calls) == 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_checkpoint(folder, checkpoint)

    monkeypatch.setattr("semcorr.training.loop.write_checkpoint", sometimes_full)
    with pytest.raises(OSError):
        Training(Line(), schedule(checkpoint_seconds=0), tmp_path / "cut").run()
    assert read_checkpoint(tmp_path / "cut").step == 19
    resumed = Line()
    Training(resumed, schedule(), tmp_path / "cut").run()
    assert torch.equal(weights(whole), weights(resumed))


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, "half"])
def test_a_damaged_checkpoint_starts_anew(tmp_path, damage):
    write_checkpoint(tmp_path, state(1))
    path = tmp_path / FILE
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "half" else damage)
    assert read_checkpoint(tmp_path) is None
