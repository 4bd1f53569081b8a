"""Tiny random models of MERT's layout and what transformers' HubertModel computes on them.

    pip install torch transformers==4.57.6 safetensors numpy
    python goldens/mert.py crates/affetto-models/tests/goldens/mert

MERT-v1 is HuBERT at 24 kHz (its own class adds a constant-Q input that v1 leaves off, and a scaling inside softmax
that does not change its result). `post` is laid out as the 95M model (group norm, post-norm layers; weight norm under its
old names; a torch.save file), `stable` as the 330M one (pre-norm layers; new names), `layer` has the other options: layer
norms and biases in the convolutions, no norm before the projection, an odd positional kernel, sound as it is.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

COMMON = dict(hidden_dropout=0.0, attention_dropout=0.0, activation_dropout=0.0, feat_proj_dropout=0.0, layerdrop=0.0)
VARIANTS = {
    "post": dict(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=24, conv_dim=(6, 8, 8),
        conv_kernel=(10, 3, 2), conv_stride=(5, 2, 2), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4,
    ),
    "stable": dict(
        hidden_size=18, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20, conv_dim=(8, 8, 8),
        conv_kernel=(10, 3, 2), conv_stride=(5, 2, 2), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2,
        do_stable_layer_norm=True,
    ),
    "layer": dict(
        hidden_size=12, num_hidden_layers=2, num_attention_heads=4, intermediate_size=30, conv_dim=(6, 10),
        conv_kernel=(8, 3), conv_stride=(4, 3), num_conv_pos_embeddings=5, num_conv_pos_embedding_groups=3,
        do_stable_layer_norm=True, feat_extract_norm="layer", conv_bias=True, feat_proj_layer_norm=False,
    ),
}
LENGTHS = (1003, 701, 333)
OLD_NAMES = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


def sound(count):
    t = np.arange(count) / 24000
    return (0.4 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 3333 * t * (1 + t)) + 0.05).astype(np.float32)


def main(folder):
    for number, (name, sizes) in enumerate(VARIANTS.items()):
        torch.manual_seed(number)
        model = HubertModel(HubertConfig(**COMMON, **sizes)).eval()
        with torch.no_grad():
            for key, p in model.named_parameters():
                if "norm" in key and key.endswith("weight") or key.endswith("original0"):
                    p.uniform_(0.5, 1.5)
                elif key.endswith("bias"):
                    p.normal_(0, 0.2)
                else:
                    p.normal_(0, 0.3)
        out = pathlib.Path(folder) / name
        out.mkdir(parents=True, exist_ok=True)
        normalize = name != "layer"
        listen = Wav2Vec2FeatureExtractor(sampling_rate=24000, do_normalize=normalize)
        golden = {"audio": torch.from_numpy(sound(max(LENGTHS)))}
        for length in LENGTHS:
            heard = listen(sound(length), sampling_rate=24000, return_tensors="pt").input_values
            with torch.no_grad():
                states = model(heard, output_hidden_states=True).hidden_states
            for layer, state in enumerate(states):
                golden[f"{length}.{layer}"] = state[0].contiguous()
        save_file(golden, out / "golden.safetensors")
        tensors = {k: v.contiguous() for k, v in model.state_dict().items()}
        if name == "post":
            for new, old in OLD_NAMES.items():
                tensors = {k.replace(new, old): v for k, v in tensors.items()}
            torch.save(tensors, out / "pytorch_model.bin")
        else:
            save_file(tensors, out / "model.safetensors", {"format": "pt"})
        config = {"model_type": "mert_model", "architectures": ["MERTModel"], "sample_rate": 24000}
        config |= {"feature_extractor_cqt": False, "deepnorm": False, "attention_relax": -1.0}
        keys = list(sizes) + ["conv_bias", "do_stable_layer_norm", "feat_extract_activation", "feat_extract_norm"]
        keys += ["feat_proj_layer_norm", "hidden_act", "layer_norm_eps"]
        config |= {key: getattr(model.config, key) for key in keys}
        (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
        preprocessor = {"do_normalize": normalize, "sampling_rate": 24000, "feature_size": 1, "padding_value": 0.0}
        (out / "preprocessor_config.json").write_text(json.dumps(preprocessor) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
