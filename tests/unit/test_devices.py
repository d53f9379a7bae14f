"""A GPU that was asked for and is not there: said at once, with the node, the cause and the way out."""

import socket

import pytest
import torch

from semcorr.errors import UserError
from semcorr.networks.devices import ALLOCATED, device_of

HOST = socket.gethostname()


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    for name in (*ALLOCATED, "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def test_the_cpu_is_taken_silently_where_nobody_gave_a_gpu(caplog, monkeypatch):
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "0")
    assert device_of("auto") == "cpu"
    monkeypatch.setenv("SLURM_JOB_GPUS", "0,1")
    assert device_of("cpu") == "cpu"
    assert caplog.text == ""


@pytest.mark.parametrize(
    "built_for, visible, cause",
    [
        ("13.0", None, "finds no device or no driver"),
        ("13.0", "", "CUDA_VISIBLE_DEVICES= hides all of them"),
        (None, None, "is built without CUDA"),
    ],
)
def test_cuda_on_a_node_without_one_stops(monkeypatch, built_for, visible, cause):
    monkeypatch.setattr(torch.version, "cuda", built_for)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(
        UserError, match=rf"^device: cuda, but .* on {HOST}: .*{cause}.*docs/cluster"
    ):
        device_of("cuda")


@pytest.mark.parametrize("name", ALLOCATED)
def test_a_gpu_that_slurm_gave_and_nobody_can_use_is_said(monkeypatch, caplog, name):
    monkeypatch.setenv(name, "1")
    assert device_of("auto") == "cpu"
    assert f"Slurm gave this job a GPU ({name}=1), but none can be used on {HOST}" in caplog.text
    assert "set `device: cpu`" in caplog.text


def test_a_gpu_that_is_there_is_used(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert [device_of(choice) for choice in ("auto", "cuda", "cpu")] == ["cuda", "cuda", "cpu"]
