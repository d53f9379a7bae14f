"""Cases of the sparse-structure networks and of the features made with them.

Each function reads one case, calls what the stages call, and returns arrays under the expected
names; it selects rows and reshapes, nothing else. Sizes and strides follow from the case file.
"""

import json
import re
from pathlib import Path

import numpy as np
import torch

from semcorr.features import conditions, single_step
from semcorr.networks import backbones
from semcorr.networks.trellis import flow, loading, vae
from semcorr.training import losses


def _case(case_dir: Path) -> tuple[dict, dict[str, np.ndarray]]:
    case = json.loads((case_dir / "case.json").read_text())
    with np.load(case_dir / "inputs.npz") as inputs:
        return case, dict(inputs)


def _shape(case: dict, name: str) -> list[int]:
    return case["expected"][name][1]


def _every(array: np.ndarray, rows: int, axis: int = 0) -> np.ndarray:
    """Keep elements 0, s, 2s, ... with the stride s that leaves `rows` of them."""
    count = array.shape[axis]
    stride = next(s for s in range(1, count + 1) if -(-count // s) == rows)
    return array[(slice(None),) * axis + (slice(None, None, stride),)]


def _every_cell(grid: np.ndarray, side: int) -> np.ndarray:
    for axis in range(grid.ndim - 3, grid.ndim):
        grid = _every(grid, side, axis)
    return grid


def _dino(config: dict, path: Path) -> backbones.Backbone:
    names = ("img_size", "patch_size", "embed_dim", "depth", "num_heads")
    overrides = {name: config[name] for name in names}
    overrides["reg_tokens"] = config["num_register_tokens"]
    return backbones.load_backbone("dinov2_vitl14_reg", path, overrides=overrides)


def _numbered(inputs: dict[str, np.ndarray], prefix: str) -> list[np.ndarray]:
    names = [name for name in inputs if re.fullmatch(prefix + r"\d+", name)]
    return [inputs[name] for name in sorted(names, key=lambda name: int(name[len(prefix) :]))]


def case_ss_vae_encoder(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = _case(case_dir)
    path = case_dir / "weights.safetensors"
    encoder = loading.network_from("SparseStructureEncoder", case["config"], path)
    side = _shape(case, "mean")[-1] * encoder.factor
    shapes = [vae.encode_cells(encoder, cells, side) for cells in _numbered(inputs, "occupied_")]
    mean, logvar = (np.concatenate([shape[part].numpy() for shape in shapes]) for part in (0, 1))
    return {
        "mean": mean,
        "logvar_strided2": _every_cell(logvar, _shape(case, "logvar_strided2")[-1]),
    }


def case_ss_vae_decoder(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = _case(case_dir)
    path = case_dir / "weights.safetensors"
    decoder = loading.network_from("SparseStructureDecoder", case["config"], path)
    logits, cells = vae.decode_cells(decoder, torch.from_numpy(inputs["latent"]))
    return {
        "logits_strided": _every_cell(logits.numpy(), _shape(case, "logits_strided")[-1]),
        "occupied_bits": np.packbits((logits > 0).numpy().ravel()),
        "coords_of_first_2000": cells[: _shape(case, "coords_of_first_2000")[0]],
    }


def case_ss_flow_dit(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = _case(case_dir)
    path = case_dir / "weights.safetensors"
    model = loading.network_from("SparseStructureFlowModel", case["config"], path)
    x, t, cond = (torch.from_numpy(inputs[name]) for name in ("x", "t", "cond"))
    last = case["config"]["num_blocks"] - 1
    with torch.inference_mode():
        output = model(x, t, cond, taps=range(last + 1))
        zero = model(x, t, torch.zeros_like(cond), taps=[last])
        t_emb = model.t_embedder(t)
    arrays = {"velocity": output.velocity, "velocity_zero_cond": zero.velocity, "t_emb": t_emb}
    for name in case["expected"]:
        match = re.fullmatch(r"hidden_after_(?:block_(\d+)|last_block)(_zero_cond)?_b(\d+)", name)
        if match:
            block, unconditional, item = match.groups()
            hidden = (zero if unconditional else output).hidden
            tokens = hidden[last if block is None else int(block)][int(item)]
            arrays[name] = _every(tokens, _shape(case, name)[0])
    return {name: array.numpy() for name, array in arrays.items()}


def case_condition_path(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = _case(case_dir)
    backbone = _dino(case["config"], case_dir / "weights.safetensors")
    encoder = backbone.module
    pictures = [conditions.prepare_picture(p) for p in _numbered(inputs, "rgba_")]
    arrays = {f"preprocessed_{i}": picture for i, picture in enumerate(pictures)}
    tokens = conditions.condition_tokens(encoder, np.stack(pictures)).numpy()
    arrays["tokens_view0"] = tokens[0]
    arrays["tokens_strided"] = _every(tokens, _shape(case, "tokens_strided")[1], axis=1)
    prenorm = conditions.prenorm_tokens(encoder, np.stack(pictures)).numpy()
    arrays["x_prenorm_first8tokens"] = prenorm[:, :8]
    for index, picture in enumerate(_numbered(inputs, "rgb_other_size_")):
        grid = (picture.shape[0] // encoder.patch_size, picture.shape[1] // encoder.patch_size)
        tokens = conditions.prenorm_tokens(encoder, picture[None])[0].numpy()
        normed = backbones.extract(backbone, picture[None], ["norm"])["norm"][0]
        arrays[f"x_prenorm_other_size_{index}"] = tokens
        arrays[f"pos_embed_other_size_{index}"] = encoder.position_table(grid)[0].numpy()
        arrays[f"x_norm_patchtokens_other_size_{index}"] = normed.flatten(1).T.numpy()
    return {name: array for name, array in arrays.items() if name in case["expected"]}


def case_single_step_features(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = _case(case_dir)
    config = case["config"]
    encoder_config = {"num_heads": 2, **config["image_encoder"]}
    encoder = _dino(encoder_config, case_dir / "weights_image_encoder.safetensors").module
    path = case_dir / "weights_flow.safetensors"
    model = loading.network_from("SparseStructureFlowModel", config["flow"], path)
    tokens = single_step.view_conditions(encoder, _numbered(inputs, "rgba_"))
    options = single_step.SingleStep(
        layers=tuple(range(config["flow"]["num_blocks"])),
        steps=config["steps"],
        timestep=config["extract_time"],
        noise=config["noise_time"],
        guidance=config["cfg_strength"],
    )
    features = single_step.single_step_features(model, inputs["latent"][0], tokens, options)
    arrays = {}
    for name, (_, shape) in case["expected"].items():
        match = re.fullmatch(r"(guided|pooled(\d+))_layer_(\d+).*", name)
        if match:
            grid = features[int(match.group(3))]
            if match.group(2):
                grid = single_step.pool(grid, grid.shape[-1] // int(match.group(2)))
            arrays[name] = _every(grid.reshape(len(grid), -1).T, shape[0])
    rows = _shape(case, "cond_tokens_view0_strided")[0]
    return arrays | {"cond_tokens_view0_strided": _every(tokens[0].numpy(), rows)}


def _trainable(name: str, args: dict, path: Path) -> torch.nn.Module:
    return loading.network_from(name, args, path).requires_grad_(True)


def _vae_losses(case_dir: Path, config: dict, inputs: dict) -> dict[str, np.ndarray]:
    shape = inputs["occupancy_shape"]
    bits = np.unpackbits(inputs["occupancy_bits"], count=int(np.prod(shape)))
    occupancy = torch.from_numpy(bits.reshape(shape).astype(np.float32))
    noise = torch.from_numpy(inputs["vae_eps"])
    arrays = {}
    for kind in ("bce", "l1", "dice"):
        networks = {
            part: _trainable(
                f"SparseStructure{part.capitalize()}",
                config[part],
                case_dir / f"weights_{part}.safetensors",
            )
            for part in ("encoder", "decoder")
        }
        pair = (networks["encoder"], networks["decoder"])
        loss = losses.vae_loss(pair, occupancy, noise, kind, config["lambda_kl"])
        loss.total.backward()
        arrays[f"vae_{kind}"] = loss.reconstruction.detach().numpy()
        arrays[f"vae_loss_{kind}"] = loss.total.detach().numpy()
        arrays["vae_kl"] = loss.kl.detach().numpy()
        for part, network in networks.items():
            arrays[f"vae_{kind}_grad_norm_{part}"] = np.float64(losses.gradient_norm(network))
    return arrays


def case_training_losses(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = _case(case_dir)
    config = case["config"]
    arrays = _vae_losses(case_dir, config, inputs)
    path = case_dir / "weights_flow.safetensors"
    model = _trainable("SparseStructureFlowModel", config["flow"], path)
    x0, noise, t, cond = (
        torch.from_numpy(inputs[f"flow_{name}"]) for name in ("x0", "noise", "t", "cond")
    )
    sigma = config["sigma_min"]
    loss = losses.flow_loss(model, x0, noise, t, cond, sigma)
    loss.backward()
    return arrays | {
        "flow_x_t": flow.noised(x0, noise, t, sigma).numpy(),
        "flow_target": flow.velocity_target(x0, noise, sigma).numpy(),
        "flow_mse": loss.detach().numpy(),
        "flow_grad_norm": np.float64(losses.gradient_norm(model)),
        "flow_grad_input_layer_weight": model.input_layer.weight.grad.numpy(),
    }


def case_flow_euler_sampler(case_dir: Path) -> dict[str, np.ndarray]:
    case, inputs = _case(case_dir)
    config = case["config"]
    path = case_dir / "weights.safetensors"
    model = loading.network_from("SparseStructureFlowModel", config["flow"], path)
    noise, cond = (torch.from_numpy(inputs[name]) for name in ("noise", "cond"))
    times = flow.schedule(config["steps"], config["rescale_t"])
    strength = config["cfg_strength"]
    samplers = {
        "plain": flow.Guidance(),
        "cfg_everywhere": flow.Guidance(strength),
        "cfg_interval_corrected": flow.Guidance(strength, tuple(config["cfg_interval"])),
        # The fork ignores its interval.
        "cfg_interval_original_fork": flow.Guidance(strength),
    }
    arrays = {"schedule": times}
    for name, guidance in samplers.items():
        run = flow.sample(model, noise, cond, times, guidance, config["sigma_min"])
        arrays[f"trajectory_{name}"] = run.states[:, 0].numpy()
        arrays[f"samples_{name}"] = run.samples.numpy()
        arrays[f"pred_x0_{name}"] = run.estimates[:, 0].numpy()
    return {name: array for name, array in arrays.items() if name in case["expected"]}
