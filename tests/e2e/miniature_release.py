"""A miniature of `microsoft/TRELLIS-image-large` as released, and a hub that serves it.

Layout, containers, key names and number types are the released ones (specification of the published
system); only widths are small and all values random.
"""

import contextlib
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from semcorr.networks.backbones import build_backbone
from semcorr.networks.trellis.loading import untrained_network

REPO = "microsoft/TRELLIS-image-large"
COMMIT = "25e0d31ffbebe4b5a97464dd851910efc3002d96"
ENCODER = {
    "in_channels": 1,
    "latent_channels": 8,
    "num_res_blocks": 2,
    "num_res_blocks_middle": 2,
    "channels": [4, 8, 16],
    "use_fp16": True,
}
FLOW = {
    "resolution": 16,
    "in_channels": 8,
    "out_channels": 8,
    "model_channels": 32,
    "cond_channels": 96,
    "num_blocks": 24,
    "num_heads": 2,
    "mlp_ratio": 4,
    "patch_size": 1,
    "pe_mode": "ape",
    "qk_rms_norm": True,
    "use_fp16": True,
}
DECODER = {
    "out_channels": 1,
    "latent_channels": 8,
    "num_res_blocks": 2,
    "num_res_blocks_middle": 2,
    "channels": [16, 8, 4],
    "use_fp16": True,
}
# what scores need
NETWORKS = {
    "ss_enc_conv3d_16l8_fp16": ("SparseStructureEncoder", ENCODER),
    "ss_flow_img_dit_L_16l8_fp16": ("SparseStructureFlowModel", FLOW),
}
# what pictures of latents and samples need besides
FURTHER = {"ss_dec_conv3d_16l8_fp16": ("SparseStructureDecoder", DECODER)}


def write_release(root: Path) -> Path:
    """Write `root/pipeline.json` and `root/ckpts/*.{json,safetensors}`; return `root`."""
    (root / "ckpts").mkdir(parents=True)
    models = {"sparse_structure_flow_model": "ckpts/ss_flow_img_dit_L_16l8_fp16"}
    pipeline = {
        "name": "TrellisImageTo3DPipeline",
        "args": {"models": models, "image_cond_model": "dinov2_vitl14_reg"},
    }
    (root / "pipeline.json").write_text(json.dumps(pipeline))
    for seed, (file, (name, args)) in enumerate((NETWORKS | FURTHER).items()):
        tensors = untrained_network(name, args, seed).state_dict()
        for key, value in tensors.items():
            if _is_half(key, value):
                tensors[key] = value.half()
        save_file(tensors, root / f"ckpts/{file}.safetensors")
        (root / f"ckpts/{file}.json").write_text(json.dumps({"name": name, "args": args}))
    return root


def _is_half(key: str, value: torch.Tensor) -> bool:
    """Linear and convolution layers inside blocks are released in half precision, all else is not."""
    inside = key.startswith(("blocks.", "middle_block."))
    return inside and "norm" not in key and (value.ndim > 1 or key.endswith("bias"))


def write_image_encoder(folder: Path) -> Path:
    """Write a tiny image encoder under the name of the torch-hub file of DINOv2-L with registers."""
    folder.mkdir(parents=True)
    path = folder / "dinov2_vitl14_reg4_pretrain.pth"
    torch.save(dict(build_backbone("tiny_vit", seed=2).module.state_dict()), path)
    return path


@contextlib.contextmanager
def hub(release: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a release like the hub does; yield its address and the list of paths asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            path = release / self.path.removeprefix(f"/{REPO}/resolve/main/")
            if not path.is_file():
                self.send_error(404)
                return
            body = path.read_bytes()
            large = path.suffix == ".safetensors"
            digest = hashlib.sha256(body) if large else hashlib.sha1(_blob(body))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("X-Linked-Etag" if large else "ETag", f'"{digest.hexdigest()}"')
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def _blob(body: bytes) -> bytes:
    """What git hashes of a file."""
    return b"blob %d\0" % len(body) + body
