"""A ShapeNet set of the miniature as the stages see it: entry, members, context, ground truth."""

from semcorr.config.load import dump, validate
from semcorr.datasets import members as item_lists
from semcorr.datasets.context import DatasetContext, truth_from_arrays, truth_to_arrays
from semcorr.datasets.shapenet import open_meshes, open_truth
from semcorr.geometry.mesh_arrays import to_arrays
from semcorr.store.memory import MemoryReader


def whole(entry, **changes):
    """Return the validated `datasets` section with the one entry."""
    return dump(validate({"datasets": {"planes": entry | changes}}, []))["datasets"]


def members(entry, **changes):
    return item_lists.read_members(whole(entry, **changes), "planes")


def context(entry, meshes=None, **changes):
    datasets = whole(entry, **changes)
    found = item_lists.read_members(datasets, "planes")
    return DatasetContext(datasets["planes"], 0, datasets["planes"], found, meshes=meshes)


def load_truth(entry, item_id, **changes):
    """Return mesh arrays and ground truth of an item, as the stages make them."""
    mesh, file_from_world = open_meshes(context(entry, **changes))(item_id)
    arrays = to_arrays(mesh, file_from_world, 0, item_id)
    truth = open_truth(context(entry, MemoryReader({item_id: arrays}), **changes))(item_id)
    return arrays, truth_from_arrays(truth_to_arrays(truth))
