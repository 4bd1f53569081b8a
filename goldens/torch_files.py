"""Makes crates/affetto-engine/tests/pickle/*.pt: what `torch.save` writes, for the reader that executes nothing.

    pip install torch     (a throwaway venv)
    python goldens/torch_files.py crates/affetto-engine/tests/pickle

tensors.pt holds, under `best_state`, one tensor of each dtype and view that is read; foreign.pt names a function.
The values are 0, 1, 2, … so that the test needs no second file.
"""

import collections
import os
import pathlib
import sys

import torch

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
state = collections.OrderedDict(
    f32=base.clone(), f16=base.half(), bf16=base.bfloat16(), i64=torch.arange(5), transposed=base.clone().t(),
    columns=base.clone()[:, 1:3], rows=base.clone()[1:], scalar=torch.tensor(7.0), empty=torch.zeros(0, 4),
)
state["expanded"] = torch.ones(1).expand(50, 1)
state["shared"] = state["f32"][2]
state._metadata = collections.OrderedDict(version=1)
torch.save({"xp.cfg": "sample_rate: 32000\n", "best_state": state, "n": 3, "x": [1.5, None, True, -70000]},
           out / "tensors.pt")
del state["expanded"]
torch.save({"best_state": state, "xp.cfg": "dim: 4\n"}, out / "good.pt")
torch.save({"best_state": state}, out / "legacy.pt", _use_new_zipfile_serialization=False)


class Foreign:
    def __reduce__(self):
        return os.system, ("echo this must never run > affetto-pickle-ran",)


torch.save({"best_state": Foreign()}, out / "foreign.pt")
