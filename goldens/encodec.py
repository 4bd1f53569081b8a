"""Makes crates/affetto-models/tests/goldens/encodec-*.{safetensors,json}.

    pip install torch transformers==4.57.6 safetensors numpy     (a throwaway venv)
    python goldens/encodec.py crates/affetto-models/tests/goldens

Tiny random models of transformers' EncodecModel, with weights exact in float16 and stored so. A safetensors file holds the
tensors by Hugging Face's names, and as `golden.*` sound, its codes [frames, K], and what codes decode to; the json is the
configuration. Seeds are tried until no code of the encoder hangs on a margin below MARGIN.
"""

import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

torch.set_num_threads(1)

MARGIN = 5e-4  # between the squared distances of the nearest two codes; float32 leaves them within 1e-5

COMMON = dict(
    sampling_rate=32000, audio_channels=1, normalize=False, use_causal_conv=False, norm_type="weight_norm",
    chunk_length_s=None, overlap=None, pad_mode="reflect",
)
# name: what differs; the ratios give the hop
MODELS = {
    "plain": dict(num_filters=4, upsampling_ratios=[4, 2, 2], hidden_size=8, codebook_size=16, codebook_dim=8,
                  num_lstm_layers=2, use_conv_shortcut=False, target_bandwidths=[32.0]),
    "shortcut": dict(num_filters=3, upsampling_ratios=[5, 3], hidden_size=7, codebook_size=32, codebook_dim=7,
                     num_lstm_layers=1, use_conv_shortcut=True, num_residual_layers=2, compress=3, kernel_size=5,
                     target_bandwidths=[43.0]),
}


# Beginnings of the sound that are encoded, and of the codes that are decoded: shorter than any padding, not whole frames.
LENGTHS = [1, 2, 5, 15, 16, 17, 47, 333]
FRAMES = [1, 2, 7]


def code(model, sound):
    """Codes [K, frames] of samples by plain distances in float64, the least margin, and transformers' codes."""
    latent = model.encoder(sound[None, None])
    rest = latent[0].T.clone()
    codes, margin = [], 1e9
    for layer in model.quantizer.layers:
        distance = torch.cdist(rest.double(), layer.codebook.embed.double()) ** 2
        two = distance.topk(2, largest=False).values
        margin = min(margin, float((two[:, 1] - two[:, 0]).min()))
        codes.append(distance.argmin(1))
        rest = rest - layer.codebook.embed[codes[-1]]
    return torch.stack(codes), margin, model.quantizer.encode(latent, 1e9)[:4, 0]


def make(seed, settings):
    torch.manual_seed(seed)
    model = transformers.EncodecModel(transformers.EncodecConfig(**COMMON, **settings)).eval()
    model.quantizer.layers = model.quantizer.layers[:4]
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if name.endswith("codebook.embed"):
                value.copy_(torch.randn_like(value) * 0.3)
            elif value.dtype == torch.float32 and value.numel() > 1:
                scale = 1.5 if name.endswith("original0") else 1.0
                value.copy_((value * scale + 0.05 * torch.randn_like(value)))
            if value.dtype == torch.float32:
                value.copy_(value.half().float())
    return model


def main(folder):
    for name, settings in MODELS.items():
        for seed in range(200):
            model = make(seed, settings)
            hop = 1
            for ratio in settings["upsampling_ratios"]:
                hop *= ratio
            frames = 61
            time = torch.arange(frames * hop) / hop
            sound = 0.5 * torch.sin(time * 2.1) + 0.3 * torch.sin(time * 5.3 + 1.0) + 0.1 * torch.randn(frames * hop)
            with torch.no_grad():
                answers = {n: code(model, sound[:n]) for n in [len(sound), *LENGTHS]}
            margin = min(answer[1] for answer in answers.values())
            if margin < MARGIN or not all(torch.equal(ours, theirs) for ours, _, theirs in answers.values()):
                continue
            with torch.no_grad():
                random = torch.randint(0, settings["codebook_size"], (4, frames))
                decoded = model.decoder(model.quantizer.decode(random[:, None]))[0, 0]
                parts = {n: model.decoder(model.quantizer.decode(random[:, None, :n]))[0, 0] for n in FRAMES}
            codes = answers[len(sound)][0]
            break
        else:
            raise SystemExit(f"{name}: no seed does")
        print(name, "seed", seed, "margin", margin, "loudest", float(decoded.abs().max()), "kinds", len(codes.unique()))
        tensors = {k: v.half() for k, v in model.state_dict().items() if not k.endswith(("inited", "embed_avg", "cluster_size"))}
        tensors |= {
            "golden.sound": sound, "golden.codes": codes.T.float().contiguous(),
            "golden.random": random.T.float().contiguous(), "golden.decoded": decoded.contiguous(),
        }
        tensors |= {f"golden.codes.{n}": answers[n][0].T.float().contiguous() for n in LENGTHS}
        tensors |= {f"golden.decoded.{n}": part.contiguous() for n, part in parts.items()}
        save_file({k: v.contiguous() for k, v in tensors.items()}, folder / f"encodec-{name}.safetensors")
        model.config.to_json_file(folder / f"encodec-{name}.json", use_diff=False)


main(pathlib.Path(sys.argv[1]))
