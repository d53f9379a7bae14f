"""Submanifold convolution and pooling against dense grids and plain loops."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semcorr.errors import ItemError
from semcorr.networks.sparse.convolution import SubmanifoldConv3d, submanifold_conv
from semcorr.networks.sparse.voxel_set import (
    VoxelSet,
    copy_to_children,
    one_shape,
    pool_to_parents,
)

SIDE = 7


def random_voxels(count=120, batches=2, side=SIDE, seed=0):
    """Distinct voxels in random order, corners of the grid among them, some rows full."""
    generator = np.random.default_rng(seed)
    grid = np.indices((side,) * 3).reshape(3, -1).T
    rows = []
    for batch in range(batches):
        chosen = generator.permutation(len(grid))[:count]
        # both ends of neighbouring grid rows: keys that are next to each other, cells that are not
        chosen = np.union1d(chosen, [0, side - 1, side, side**3 - 1])
        rows.append(np.pad(grid[chosen], ((0, 0), (1, 0)), constant_values=batch))
    rows = np.concatenate(rows)
    return VoxelSet(torch.from_numpy(rows[generator.permutation(len(rows))]))


def dense(features, voxels, side=SIDE):
    """(b, c, x, y, z) with zeros at free cells, differentiable."""
    b, x, y, z = voxels.coords.T
    grid = features.new_zeros(voxels.batches, side, side, side, features.shape[1])
    return grid.index_put((b, x, y, z), features).permute(0, 4, 1, 2, 3)


def read(grid, voxels):
    b, x, y, z = voxels.coords.T
    return grid.permute(0, 2, 3, 4, 1)[b, x, y, z]


def dense_conv(features, voxels, weight, bias):
    grid = F.conv3d(dense(features, voxels), weight.permute(0, 4, 1, 2, 3), bias, padding=1)
    return read(grid, voxels)


def operands(voxels, dtype=torch.float32, channels=5, out=4):
    g = torch.Generator().manual_seed(1)
    shapes = ((len(voxels), channels), (out, 3, 3, 3, channels), (out,))
    return [torch.randn(s, generator=g, dtype=dtype, requires_grad=True) for s in shapes]


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("count", [1, 40, SIDE**3])
def test_equals_dense_convolution_with_gradients(batches, count):
    voxels = random_voxels(count, batches)
    found, wanted = operands(voxels), operands(voxels)
    out = submanifold_conv(found[0], voxels, *found[1:])
    expected = dense_conv(wanted[0], voxels, *wanted[1:])
    torch.testing.assert_close(out, expected, atol=2e-5, rtol=1e-5)
    seen = torch.randn(out.shape, generator=torch.Generator().manual_seed(2))
    (out * seen).sum().backward()
    (expected * seen).sum().backward()
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-5)


def test_gradients_are_those_of_finite_differences():
    voxels = random_voxels(6, 1, side=3)
    values = operands(voxels, torch.float64, channels=2, out=2)
    assert torch.autograd.gradcheck(
        lambda x, w, b: submanifold_conv(x, voxels, w, b), values, fast_mode=False
    )


def test_gradients_only_where_they_are_asked_for():
    voxels = random_voxels(20)
    features, weight, bias = operands(voxels)
    submanifold_conv(features.detach(), voxels, weight, bias).sum().backward()
    assert features.grad is None and weight.grad is not None
    submanifold_conv(features, voxels, weight.detach()).sum().backward()
    assert features.grad is not None


def test_order_of_rows_and_place_in_the_grid_change_nothing():
    voxels = random_voxels()
    features, weight, bias = (v.detach() for v in operands(voxels))
    out = submanifold_conv(features, voxels, weight, bias)
    order = torch.randperm(len(voxels), generator=torch.Generator().manual_seed(3))
    shuffled = VoxelSet(voxels.coords[order])
    again = submanifold_conv(features[order], shuffled, weight, bias)
    torch.testing.assert_close(again, out[order], atol=1e-5, rtol=1e-5)
    moved = VoxelSet(voxels.coords + torch.tensor([0, 1000, 5, 77]))
    torch.testing.assert_close(submanifold_conv(features, moved, weight, bias), out)


def test_no_row_is_next_to_the_row_behind_the_border():
    """(0, 0, last) and (0, 1, 0) follow each other in the grid's memory; they do not touch."""
    voxels = one_shape(np.array([[0, 0, SIDE - 1], [0, 1, 0], [1, 0, 0]]))
    weight = torch.ones(1, 3, 3, 3, 1)
    out = submanifold_conv(torch.tensor([[1.0], [10.0], [100.0]]), voxels, weight)
    assert out[:, 0].tolist() == [1.0, 110.0, 110.0]


def test_batch_elements_do_not_see_each_other():
    coords = torch.tensor([[0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 0, 1]])
    out = submanifold_conv(
        torch.tensor([[1.0], [10.0], [100.0]]), VoxelSet(coords), torch.ones(1, 3, 3, 3, 1)
    )
    assert out[:, 0].tolist() == [1.0, 110.0, 110.0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_in_float32(dtype):
    voxels = random_voxels(300, 1)
    features, weight, _ = (v.detach().to(dtype) for v in operands(voxels))
    out = submanifold_conv(features, voxels, weight)
    assert out.dtype == dtype
    exact = submanifold_conv(features.float(), voxels, weight.float())
    bound = 4 * torch.finfo(dtype).eps * exact.abs().max()
    torch.testing.assert_close(out.float(), exact, atol=float(bound), rtol=0)


def test_layer_keeps_its_weights_in_the_released_layout():
    torch.manual_seed(0)
    layer, voxels = SubmanifoldConv3d(5, 4), random_voxels()
    assert {k: tuple(v.shape) for k, v in layer.state_dict().items()} == {
        "weight": (4, 3, 3, 3, 5),
        "bias": (4,),
    }
    features = operands(voxels)[0].detach()
    expected = dense_conv(features, voxels, layer.weight, layer.bias)
    torch.testing.assert_close(layer(features, voxels), expected, atol=1e-5, rtol=1e-5)


def plain_pool(features, voxels):
    """{parent: sum of children / (children + 1)} by loops."""
    children = {}
    for row, (b, x, y, z) in enumerate(voxels.coords.tolist()):
        children.setdefault((b, x // 2, y // 2, z // 2), []).append(features[row])
    return {place: sum(rows) / (len(rows) + 1) for place, rows in children.items()}


def test_pooling_counts_one_child_too_many_and_sorts_parents():
    voxels = random_voxels()
    features = operands(voxels)[0].detach()
    expected = plain_pool(features, voxels)
    pooling = voxels.halved
    places = [tuple(place) for place in pooling.coarse.coords.tolist()]
    assert places == sorted(expected)
    pooled = pool_to_parents(features, pooling)
    torch.testing.assert_close(pooled, torch.stack([expected[place] for place in places]))
    assert int(pooling.children.sum()) == len(voxels)
    copies = copy_to_children(pooled, pooling)
    for row, (b, x, y, z) in enumerate(voxels.coords.tolist()):
        torch.testing.assert_close(copies[row], expected[b, x // 2, y // 2, z // 2])


def test_gradients_of_pooling():
    voxels = random_voxels(10, 1, side=4)
    features = operands(voxels, torch.float64)[0]
    assert torch.autograd.gradcheck(lambda x: pool_to_parents(x, voxels.halved), (features,))


@pytest.mark.parametrize(
    ("coords", "error", "words"),
    [
        (np.zeros((0, 4), int), ItemError, "no occupied voxel"),
        (np.zeros((3, 3), int), ValueError, r"expected \(n, 4\)"),
        (np.zeros((1, 4)), ValueError, "integers"),
        (np.array([[0, 1, -1, 2]]), ValueError, "from 0, got -1"),
        (np.array([[0, 1, 1, 2], [0, 0, 0, 0], [0, 1, 1, 2]]), ValueError, "twice"),
        (np.array([[0, 1, 1, 2], [2, 1, 1, 2], [2, 0, 0, 0]]), ItemError, "batch element 1 has no"),
        (np.array([[2**60, 1, 1, 2]]), ItemError, "1 voxels cannot be of"),
        (np.array([[0, 2**30, 2**30, 2**30]]), ValueError, "too large"),
    ],
)
def test_bad_voxels_are_refused(coords, error, words):
    with pytest.raises(error, match=words):
        VoxelSet(torch.from_numpy(coords))


def test_cells_of_one_shape_are_refused_like_voxels():
    with pytest.raises(ItemError, match="no occupied voxel"):
        one_shape(np.zeros((0, 3), np.uint8))
    with pytest.raises(ValueError, match=r"cells: expected \(n, 3\)"):
        one_shape(np.zeros((2, 4), np.uint8))
    # of unsigned bytes, as voxel stores hold them: 255 + 1 must not become 0
    voxels = one_shape(np.array([[255, 0, 0], [0, 0, 0]], np.uint8))
    assert voxels.extent == (256, 1, 1) and [len(p.seen) for p in voxels.neighbours].count(0) == 26


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x, w, b: (x[:-1], w, b), "features: expected"),
        (lambda x, w, b: (x[:, :-1], w, b), "features: expected"),
        (lambda x, w, b: (x, w[:, :2], b), "weight: expected"),
        (lambda x, w, b: (x, w[:, 0], b), "weight: expected"),
        (lambda x, w, b: (x, w, b[:-1]), "bias: expected"),
        (lambda x, w, b: (x.double(), w, b), "float64"),
    ],
)
def test_bad_operands_are_refused(change, words):
    voxels = random_voxels(10, 1)
    features, weight, bias = change(*operands(voxels))
    with pytest.raises(ValueError, match=words):
        submanifold_conv(features, voxels, weight, bias)


def test_spconv_never_runs_on_the_cpu():
    voxels = random_voxels(10, 1)
    features, weight, bias = operands(voxels)
    with pytest.raises(ValueError, match="CUDA only"):
        submanifold_conv(features, voxels, weight, bias, backend="spconv")
    with pytest.raises(ValueError, match="unknown value 'dense'"):
        submanifold_conv(features, voxels, weight, bias, backend="dense")


@pytest.mark.cuda
@pytest.mark.parametrize(
    "backend", ["own", pytest.param("spconv", marks=pytest.mark.cuda("spconv"))]
)
def test_on_cuda_both_equal_the_cpu_with_gradients(backend):
    voxels = random_voxels(200)
    there = VoxelSet(voxels.coords.cuda())
    wanted = operands(voxels, channels=16, out=16)
    found = [v.detach().cuda().requires_grad_() for v in wanted]
    expected = submanifold_conv(wanted[0], voxels, *wanted[1:])
    # twice: the second call finds the tables of the first
    for _ in range(2):
        out = submanifold_conv(found[0], there, *found[1:], backend=backend)
    torch.testing.assert_close(out.cpu(), expected, atol=1e-2, rtol=1e-2)  # TF32 products
    expected.square().sum().backward()
    out.square().sum().backward()
    for ours, theirs in zip(found, wanted, strict=True):
        apart = (ours.grad.cpu() - theirs.grad).norm() / theirs.grad.norm()
        assert apart < 1e-2
