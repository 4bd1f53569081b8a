#!/usr/bin/env python3
"""An AV encoder as LARA-Gen describes it, a torch.nn.Sequential, and what it makes of three feelings.

    python goldens/av_encoder.py

Writes crates/affetto-models/tests/goldens/av-encoder.safetensors: the state dict under `net.` and, in the metadata,
rows [arousal, valence] on the scale 1 to 9 with the tokens that torch computes of (x - 5) / 4. Needs torch, safetensors.
"""
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

WIDTH, TOKENS, HIDDEN = 8, 3, 8
torch.manual_seed(4)
net = torch.nn.Sequential(torch.nn.Linear(2, HIDDEN), torch.nn.GELU(), torch.nn.Linear(HIDDEN, TOKENS * WIDTH))
rated = torch.tensor([[1.0, 9.0], [5.0, 6.5], [7.4, 2.2]])
with torch.no_grad():
    made = net((rated - 5) / 4)
out = Path(__file__).parent.parent / "crates/affetto-models/tests/goldens/av-encoder.safetensors"
save_file({f"net.{name}": value for name, value in net.state_dict().items()}, out,
          metadata={"golden.rated": json.dumps(rated.tolist()), "golden.tokens": json.dumps(made.tolist())})
print(f"wrote {out} ({out.stat().st_size} bytes)")
