"""Data sets of Objaverse-XL: meshes and ground truth as for Objaverse, in any format that is read."""

from semcorr.datasets.objaverse import open_meshes as open_meshes
from semcorr.datasets.objaverse import open_truth as open_truth
