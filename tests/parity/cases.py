"""Which case is computed by which adapter, with which functions, called by which stage.

The one table behind three tests: every case of an implemented system has a row or is named as one
that comes later (`test_parity`); an adapter calls the functions of its row and no others
(`test_parity`); an end-to-end run calls every function from its stage, but for those that no stage
of it needs (`test_stage_calls`).

Functions are `module:qualified name`, modules without `semcorr.`; stages are modules of
`semcorr.stages`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One case: its adapter has the function `case_{name}`, which calls `functions`."""

    adapter: str
    functions: tuple[str, ...]


@dataclass(frozen=True)
class System:
    """One system: its cases, and those that come with a later one, with the reason."""

    cases: dict[str, Case]
    later: dict[str, str]


STAGE_OF = {
    "cameras:hammersley_yaw_pitch": "render",
    "cameras:intrinsics_of": "render",
    "cameras:make_cameras": "render",
    "cameras:opencv_from_opengl": "render",
    "cameras:opengl_from_opencv": "render",
    "cameras:positions_on_sphere": "render",
    "cameras:rigid_inverse": "render",
    "datasets.folder:read_item_mesh": "meshes",
    "datasets.part_points:read_points": "truth",
    "evaluation.segmentation:class_iou": "evaluate",
    "features.conditions:condition_tokens": "features",
    "features.conditions:prenorm_tokens": "features",
    "features.conditions:prepare_picture": "features",
    "features.single_step:single_step_features": "features",
    "features.conditions:view_conditions": "features",
    "features.voxel_features:samples_of_views": "latents",
    "features.voxel_features:voxel_features": "latents",
    "features.voxel_features:voxel_places": "latents",
    "geometry.frames:used_vertices": "meshes",
    "geometry.frames:world_from_file": "meshes",
    "geometry.part_labels:labels_from_annotation": "truth",
    "geometry.part_labels:labels_from_points": "truth",
    "geometry.part_labels:merge_labels": "truth",
    "geometry.point_alignment:align": "truth",
    "geometry.point_alignment:best_shift": "truth",
    "geometry.point_alignment:centroid_difference": "truth",
    "geometry.point_alignment:points_in_frame": "truth",
    "geometry.point_alignment:sum_of_distances": "truth",
    "geometry.point_alignment:to_point_frame": "truth",
    "geometry.reader:read_mesh": "meshes",
    "geometry.transforms:apply": "meshes",
    "geometry.voxels:cell_of_points": "match",
    "geometry.voxels:centres": "match",
    "geometry.voxels:voxelise": "voxels",
    "matching.cells:occupied_cells": "match",
    "matching.hierarchical:match_pooled": "match",
    "matching.hierarchical:pool_grid": "match",
    "matching.hierarchical:pool_levels": "match",
    "matching.lift:lift_to_voxels": "match",
    "networks.backbones:extract": "features",
    "networks.backbones:load_backbone": "features",
    "networks.checkpoints:load_strict": "features",
    "networks.checkpoints:read_tensors": "features",
    "networks.dino:DinoViT.position_table": "features",
    "networks.sparse.attention:groups_of": "latents",
    "networks.sparse.attention:window_ids": "latents",
    "networks.sparse.voxel_set:pool_to_parents": "features",
    "networks.trellis.dit:SparseStructureFlowModel.forward": "features",
    "networks.trellis.dit:TimeEmbedder.forward": "features",
    "networks.trellis.flow:noised": "train",
    "networks.trellis.flow:velocity_target": "train",
    "networks.trellis.loading:network_from": "features",
    "networks.trellis.slat_blocks:SparseResBlock.forward": "features",
    "networks.trellis.slat_blocks:SparseTransformerBlock.forward": "latents",
    "networks.trellis.slat_encoder:SLatEncoder.forward": "latents",
    "networks.trellis.slat_flow:SLatFlowModel.forward": "features",
    "networks.trellis.vae:encode_cells": "latents",
    "rendering.raycast:RaycastRenderer.render": "render",
    "rendering.raycast:open_renderer": "render",
    "training.losses:flow_loss": "train",
    "training.losses:vae_loss": "train",
    "transfer.colours:spatial_rainbow": "export",
    "transfer.colours:transfer_colours": "export",
    "transfer.labels:cell_labels": "evaluate",
}

# Functions that no stage of the run calls, and why; one that starts to moves it to STAGE_OF.
NO_STAGE = {
    "geometry.reader:read_object_boxes": "no data set has an option for the published loose box",
    "networks.trellis.vae:decode_cells": "stages `decode` and `sample` are no part of it",
    "networks.trellis.flow:schedule": "stage `sample` is no part of it",
    "networks.trellis.flow:sample": "stage `sample` is no part of it",
    "transfer.colours:label_palette": "report.colours makes its table of it once, when imported",
    "transfer.labels:transfer_cell_labels": "labels are carried along maps of sites",
}

NSR = System(
    cases={
        "voxelise": Case(
            "nsr_geometry",
            (
                "geometry.voxels:voxelise",
                "geometry.voxels:centres",
                "matching.cells:occupied_cells",
            ),
        ),
        "cameras_and_normalisation": Case(
            "nsr_geometry",
            (
                "cameras:hammersley_yaw_pitch",
                "cameras:make_cameras",
                "cameras:opengl_from_opencv",
                "cameras:positions_on_sphere",
                "cameras:rigid_inverse",
                "datasets.folder:read_item_mesh",
                "geometry.frames:used_vertices",
                "geometry.frames:world_from_file",
                "geometry.reader:read_mesh",
                "geometry.reader:read_object_boxes",
                "geometry.transforms:apply",
                "rendering.raycast:RaycastRenderer.render",
                "rendering.raycast:open_renderer",
            ),
        ),
        "ss_vae_encoder": Case(
            "nsr_networks",
            ("networks.trellis.loading:network_from", "networks.trellis.vae:encode_cells"),
        ),
        "ss_vae_decoder": Case(
            "nsr_networks",
            ("networks.trellis.loading:network_from", "networks.trellis.vae:decode_cells"),
        ),
        "ss_flow_dit": Case(
            "nsr_networks",
            (
                "networks.trellis.dit:SparseStructureFlowModel.forward",
                "networks.trellis.dit:TimeEmbedder.forward",
                "networks.trellis.loading:network_from",
            ),
        ),
        "condition_path": Case(
            "nsr_networks",
            (
                "features.conditions:condition_tokens",
                "features.conditions:prenorm_tokens",
                "features.conditions:prepare_picture",
                "networks.backbones:extract",
                "networks.backbones:load_backbone",
                "networks.dino:DinoViT.position_table",
            ),
        ),
        "single_step_features": Case(
            "nsr_networks",
            (
                "features.single_step:single_step_features",
                "features.conditions:view_conditions",
                "matching.hierarchical:pool_grid",
                "networks.backbones:load_backbone",
                "networks.trellis.loading:network_from",
            ),
        ),
        "hierarchical_match": Case(
            "nsr_matching",
            (
                "matching.cells:occupied_cells",
                "matching.hierarchical:match_pooled",
                "matching.hierarchical:pool_levels",
            ),
        ),
        "label_transfer_iou": Case(
            "nsr_matching",
            (
                "evaluation.segmentation:class_iou",
                "geometry.part_labels:labels_from_annotation",
                "geometry.part_labels:merge_labels",
                "geometry.voxels:centres",
                "matching.cells:occupied_cells",
                "matching.hierarchical:match_pooled",
                "matching.hierarchical:pool_levels",
                "transfer.labels:cell_labels",
                "transfer.labels:transfer_cell_labels",
            ),
        ),
        "part_ground_truth": Case(
            "nsr_truth",
            (
                "datasets.part_points:read_points",
                "geometry.part_labels:labels_from_points",
                "geometry.point_alignment:align",
                "geometry.point_alignment:best_shift",
                "geometry.point_alignment:centroid_difference",
                "geometry.point_alignment:points_in_frame",
                "geometry.point_alignment:sum_of_distances",
                "geometry.point_alignment:to_point_frame",
            ),
        ),
        "dense_colour_lift": Case(
            "nsr_matching",
            (
                "matching.lift:lift_to_voxels",
                "transfer.colours:label_palette",
                "transfer.colours:spatial_rainbow",
                "transfer.colours:transfer_colours",
            ),
        ),
        "training_losses": Case(
            "nsr_networks",
            (
                "networks.trellis.flow:noised",
                "networks.trellis.flow:velocity_target",
                "networks.trellis.loading:network_from",
                "training.losses:flow_loss",
                "training.losses:vae_loss",
            ),
        ),
        "flow_euler_sampler": Case(
            "nsr_networks",
            (
                "networks.trellis.flow:sample",
                "networks.trellis.flow:schedule",
                "networks.trellis.loading:network_from",
            ),
        ),
        "slat_blocks": Case(
            "nsr_slat",
            (
                "networks.checkpoints:load_strict",
                "networks.checkpoints:read_tensors",
                "networks.sparse.attention:groups_of",
                "networks.sparse.attention:window_ids",
                "networks.sparse.voxel_set:pool_to_parents",
                "networks.trellis.slat_blocks:SparseResBlock.forward",
                "networks.trellis.slat_blocks:SparseTransformerBlock.forward",
            ),
        ),
        "slat_encoder": Case(
            "nsr_slat",
            (
                "networks.trellis.loading:network_from",
                "networks.trellis.slat_encoder:SLatEncoder.forward",
            ),
        ),
        "slat_flow": Case(
            "nsr_slat",
            (
                "networks.trellis.loading:network_from",
                "networks.trellis.slat_flow:SLatFlowModel.forward",
            ),
        ),
        "voxel_view_features": Case(
            "nsr_networks",
            (
                "cameras:intrinsics_of",
                "cameras:opencv_from_opengl",
                "cameras:rigid_inverse",
                "features.voxel_features:samples_of_views",
                "features.voxel_features:voxel_features",
                "features.voxel_features:voxel_places",
                "geometry.voxels:cell_of_points",
                "networks.backbones:load_backbone",
            ),
        ),
    },
    later={},
)

SYSTEMS = {"nsr": NSR}
