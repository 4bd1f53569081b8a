"""Makes crates/affetto-models/tests/goldens/steering.safetensors.

    pip install torch transformers==4.57.6 safetensors numpy     (a throwaway venv)
    python goldens/steering.py crates/affetto-models/tests/goldens

The tiny models of musicgen.py, as stored beside it, run in transformers under PyTorch forward hooks: what the hooks hear at
the three sites, and the logits once they add vectors there, with both halves of classifier-free guidance in one batch,
as generate() has them. Directions and strengths are formulas; the test makes the same. Sites in this order:
the residual stream behind a layer, self-attention's output behind out_proj, and what out_proj is given (the heads).
"""

import json
import logging
import pathlib
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file

logging.getLogger("transformers").setLevel(logging.ERROR)
torch.set_num_threads(1)

STEPS = 6
KEPT = 2
GUIDANCE = 3.0
SITES = ("residual", "attention", "heads")
CHROMA = 5


def vector(direction: int, layer: int, site: int, width: int) -> torch.Tensor:
    i = torch.arange(width)
    return ((i * i * 7 + i * 3 + layer * 11 + site * 5 + direction * 13) % 17 - 8) / 16.0


def strength(direction: int, step: int) -> float:
    """Direction 0 holds one strength; direction 1 has another at every step, 0 among them."""
    return 0.5 if direction == 0 else ((step * 5 + 2) % 7 - 3) / 4


def delayed(books: int, channels: int, vocab: int) -> torch.Tensor:
    """Codes by formula, delayed by hand, [K, steps]: as in musicgen.py."""
    out = torch.full((books, STEPS), vocab)
    for k in range(books):
        for step in range(1 + k // channels, STEPS):
            row = step - 1 - k // channels
            out[k, step] = (row * row * 3 + row * 5 + k * 7 + row * k) % vocab
    return out


def open_model(folder: pathlib.Path, name: str):
    info = json.loads((folder / f"musicgen-{name}.json").read_text())
    melody = info["config"]["model_type"] == "musicgen_melody"
    kind = transformers.MusicgenMelodyConfig if melody else transformers.MusicgenConfig
    made = transformers.MusicgenMelodyForConditionalGeneration if melody else transformers.MusicgenForConditionalGeneration
    model = made(kind(**info["config"]))
    stored = load_file(folder / f"musicgen-{name}.safetensors")
    weights = {key: value.float() for key, value in stored.items() if not key.startswith("golden.")}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    # Tied to others, or made by formula, or of the codec, which is not asked.
    known = ("audio_encoder.", "text_encoder.encoder.embed_tokens", "decoder.model.decoder.embed_positions")
    assert not unexpected and all(key.startswith(known) for key in missing), (missing, unexpected)
    return model.eval(), info, melody


class Hooks:
    """Hears the last STEPS rows at every site and adds to them; batch row 0 is the conditional half."""

    def __init__(self, model):
        self.heard, self.adds, self.handles = {}, {}, []
        for i, layer in enumerate(model.decoder.model.decoder.layers):
            out = layer.self_attn.out_proj
            self.handles.append(layer.register_forward_hook(self.behind(i, 0)))
            self.handles.append(out.register_forward_hook(self.behind(i, 1)))
            self.handles.append(out.register_forward_pre_hook(self.before(i, 2)))

    def act(self, layer, site, rows):
        rows = rows.clone()
        for row, add in self.adds.get((layer, site), []):
            rows[row, -STEPS:] += add
        self.heard[layer, site] = rows[:, -STEPS:].detach()
        return rows

    def behind(self, layer, site):
        def hook(_, __, out):
            if isinstance(out, tuple):
                return (self.act(layer, site, out[0]), *out[1:])
            return self.act(layer, site, out)

        return hook

    def before(self, layer, site):
        return lambda _, inputs: (self.act(layer, site, inputs[0]), *inputs[1:])

    def add(self, direction, layer, site, width, both):
        strengths = torch.tensor([[strength(direction, step)] for step in range(STEPS)])
        for row in (0, 1) if both else (0,):
            self.adds.setdefault((layer, site), []).append((row, strengths * vector(direction, layer, site, width)))


def inputs(model, info, melody, codes):
    """Both halves of guidance: the conditional one first."""
    ids = torch.tensor([info["ids"]])
    states = model.text_encoder(input_ids=ids).last_hidden_state
    codes = codes.repeat(2, 1)
    if not melody:
        mask = torch.cat([torch.ones_like(ids), torch.zeros_like(ids)])
        both = torch.cat([states, torch.zeros_like(states)])
        states = transformers.modeling_outputs.BaseModelOutput(both)
        return dict(decoder_input_ids=codes, encoder_outputs=states, attention_mask=mask)
    frames = [(i * i + 3 * i) % 12 for i in range(CHROMA)]
    chroma = torch.nn.functional.one_hot(torch.tensor([frames]), 12).float()
    null = torch.zeros_like(chroma)
    null[..., 0] = 1
    length = model.config.chroma_length
    prefix = []
    for features, text in ((chroma, model.enc_to_dec_proj(states)), (null, 0 * model.enc_to_dec_proj(states))):
        features = features.repeat(1, -(-length // CHROMA), 1)[:, :length]
        prefix.append(torch.cat([model.audio_enc_to_dec_proj(features), text], 1))
    return dict(decoder_input_ids=codes, encoder_hidden_states=torch.cat(prefix))


def guided(model, fed, books):
    """Guided logits of the last steps, [KEPT, K · V]."""
    logits = model(**fed).logits.reshape(2, books, -1, model.config.decoder.vocab_size)[:, :, -KEPT:]
    mixed = logits[1] + GUIDANCE * (logits[0] - logits[1])
    return mixed.transpose(0, 1).reshape(KEPT, -1)


def stacked(heard, row, layers):
    """[layers, sites, STEPS, d]"""
    return torch.stack([torch.stack([heard[layer, site][row] for site in range(3)]) for layer in range(layers)])


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    golden = {}
    for name in ("text", "stereo", "melody"):
        model, info, melody = open_model(folder, name)
        config = model.config.decoder
        layers, width, books = config.num_hidden_layers, config.hidden_size, config.num_codebooks
        hooks = Hooks(model)
        with torch.no_grad():
            fed = inputs(model, info, melody, delayed(books, config.audio_channels, config.vocab_size))
            guided(model, fed, books)
            golden[f"{name}.given"] = stacked(hooks.heard, 0, layers)
            if name == "text":
                golden[f"{name}.null"] = stacked(hooks.heard, 1, layers)
            for branch in ("both", "conditional"):
                both = branch == "both"
                for site, called in enumerate(SITES):
                    hooks.adds.clear()
                    for direction in (0, 1):
                        for layer in range(layers):
                            hooks.add(direction, layer, site, width, both)
                    golden[f"{name}.{called}.{branch}"] = guided(model, fed, books)
                hooks.adds.clear()
                # One direction at one layer of each site.
                for site in range(3):
                    hooks.add(1, (site + 1) % layers, site, width, both)
                golden[f"{name}.mixed.{branch}"] = guided(model, fed, books)
                if branch == "conditional" and name != "melody":
                    golden[f"{name}.steered"] = stacked(hooks.heard, 0, layers)
        for key in (k for k in golden if k.startswith(name)):
            print(key, tuple(golden[key].shape), f"largest {float(golden[key].abs().max()):.2f}")
    file = folder / "steering.safetensors"
    save_file({key: value.contiguous().float() for key, value in golden.items()}, file)
    print(file.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
