"""Windows, and attention in groups, against the formula."""

import numpy as np
import pytest
import torch
from slat_plain import normal, plain_windows, shell, softmax_attention

from semcorr.networks.sparse.attention import attend_in_groups, groups_of, window_ids


@pytest.mark.parametrize(("window", "shift"), [(4, 0), (4, 2), (5, 2), (12, 6), (1, 0)])
def test_windows(window, shift):
    voxels = shell()
    ids, plain = window_ids(voxels, window, shift).tolist(), plain_windows(voxels, window, shift)
    assert len(set(zip(ids, plain, strict=True))) == len(set(ids)) == len(set(plain))
    with pytest.raises(ValueError, match="shift"):
        window_ids(voxels, window, window)


def test_attention_stays_inside_of_groups_of_all_sizes():
    """Sizes 1 to 60, so that there are buckets with and without padding."""
    generator = np.random.default_rng(0)
    sizes = [1, 1, 2, 7, 8, 8, 9, 20, 33, 33, 60]
    ids = torch.from_numpy(generator.permutation(np.repeat(np.arange(len(sizes)), sizes)))
    groups = groups_of(ids)
    assert {b.kept is None for b in groups.buckets} == {True, False}
    q, k, v = (normal(len(ids), 2, 3, seed=s) for s in range(3))
    out = attend_in_groups(q, k, v, groups)
    for group in range(len(sizes)):
        own = ids == group
        torch.testing.assert_close(out[own], softmax_attention(q[own], k[own], v[own]))
    with pytest.raises(ValueError, match="groups: of"):
        attend_in_groups(q[1:], k[1:], v[1:], groups)


def test_padding_is_bounded():
    """No bucket holds more than a quarter more rows than members, beyond eight a group."""
    sizes = np.arange(1, 400)
    groups = groups_of(torch.from_numpy(np.repeat(sizes, sizes)))
    for bucket in groups.buckets:
        if bucket.kept is not None:
            members = bucket.kept.sum(1)
            assert (bucket.rows.shape[1] <= torch.maximum(members * 1.25, members + 8)).all()


def test_gradients_flow_through_groups():
    ids = torch.tensor([0, 1, 0, 0, 1, 2])
    values = [normal(6, 1, 2, seed=s).double().requires_grad_() for s in range(3)]
    assert torch.autograd.gradcheck(lambda *x: attend_in_groups(*x, groups_of(ids)), values)
