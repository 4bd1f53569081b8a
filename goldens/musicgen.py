"""Makes crates/affetto-models/tests/goldens/musicgen-*.{safetensors,json} and t5-tokenizer.{json,ids.json}.

    pip install torch transformers==4.57.6 tokenizers safetensors numpy     (a throwaway venv)
    python goldens/musicgen.py crates/affetto-models/tests/goldens

Tiny random models of transformers' own classes. All weights are exact in float16, and stored so; transformers computes
in f32 on the CPU. A model's safetensors file holds its tensors by Hugging Face's names (without the audio encoder) and
the expected answers as `golden.*`; its json holds config.json, the ids and codes that were read, and the greedy codes
of 200 steps under guidance 3. Seeds are tried until no greedy choice hangs on a margin below 1.5e-3.
"""

import json
import logging
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

logging.getLogger("transformers").setLevel(logging.ERROR)

torch.set_num_threads(1)
STEPS = 200
LONG = 1480

# name: kind, (hidden, layers, heads, ffn, codebooks, channels, vocabulary), T5 and other settings
MODELS = {
    "text": ("text", (32, 2, 4, 48, 4, 1, 32), dict(d_model=24, d_kv=6, num_heads=4, d_ff=40, num_layers=2)),
    "odd": (
        "text",
        (40, 2, 5, 52, 8, 1, 21),
        dict(d_model=28, d_kv=5, num_heads=3, d_ff=36, num_layers=2, feed_forward_proj="gated-gelu",
             relative_attention_num_buckets=10, relative_attention_max_distance=20, layer_norm_epsilon=1e-5),
    ),
    "plain": ("text", (35, 1, 7, 30, 2, 1, 17), dict(d_model=35, d_kv=4, num_heads=2, d_ff=33, num_layers=1)),
    "stereo": ("text", (24, 2, 3, 40, 8, 2, 24), dict(d_model=16, d_kv=8, num_heads=2, d_ff=24, num_layers=1)),
    "melody": ("melody", (32, 2, 4, 48, 4, 1, 32), dict(d_model=24, d_kv=6, num_heads=4, d_ff=40, num_layers=1)),
    "melody-plain": ("melody", (12, 1, 2, 20, 3, 1, 19), dict(d_model=12, d_kv=3, num_heads=3, d_ff=20, num_layers=1)),
}

CORPUS = """a calm piano at dusk with soft strings | happy folk dance with fiddle and drums | an angry waltz for brass
slow ambient pads over the sea at night | a gentle guitar melody that rises and falls | tense strings in a dark forest
bright synth lead over a warm bass | quiet lo-fi beat with rain | serene flute and harp in the morning | minor chords
a sad violin remembers the war | joyful jazz trio with a walking bass | fast film music with timpani and horns""".split("|")

SENTENCES = [
    "a calm piano at dusk",
    "",
    " ",
    "two  spaces   and a tail  ",
    "  led by two",
    "UPPER and unknown: zyxw 漢字 😀",
    "café naïve ﬁne ½ ™",
    "tab\tand\nline",
    "</s> in the text <pad> and <unk>",
    "a▁b real metaspace",
    "e\u0301 combining, soft\u00adhyphen, zero\u200bwidth, nbsp\u00a0here",
    "lo-fi beat (80 bpm), 3/4 — “quoted”…",
]


def tokenizer() -> Tokenizer:
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=120, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False
    )
    made.train_from_iterator(CORPUS, trainer)
    made.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return made


def build(name: str, seed: int):
    kind, (hidden, layers, heads, ffn, books, channels, vocab), text = MODELS[name]
    torch.manual_seed(seed)
    t5 = transformers.T5Config(vocab_size=128, **text)
    audio = transformers.EncodecConfig(
        target_bandwidths=[0.5], sampling_rate=800, upsampling_ratios=[4, 4], codebook_size=32, codebook_dim=4,
        hidden_size=4, num_filters=2, num_lstm_layers=1,
    )
    sizes = dict(
        vocab_size=vocab, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads, ffn_dim=ffn,
        num_codebooks=books, audio_channels=channels, pad_token_id=vocab, bos_token_id=vocab, eos_token_id=None,
    )
    if kind == "melody":
        config = transformers.MusicgenMelodyConfig.from_sub_models_config(
            t5, audio, transformers.MusicgenMelodyDecoderConfig(**sizes), chroma_length=11
        )
        model = transformers.MusicgenMelodyForConditionalGeneration(config)
    else:
        config = transformers.MusicgenConfig.from_sub_models_config(
            t5, audio, transformers.MusicgenDecoderConfig(**sizes)
        )
        model = transformers.MusicgenForConditionalGeneration(config)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if key.startswith("audio_encoder"):
                continue
            if weight.dim() == 2:
                scale = 1.6 / weight.shape[1] ** 0.5
                if "embed_tokens" in key or "shared" in key:
                    scale = 1.0
                elif "lm_heads" in key:
                    scale = 2.5 / weight.shape[1] ** 0.5
                elif "relative_attention_bias" in key:
                    scale = 1.0
                weight.normal_(std=scale)
            else:
                weight.normal_(mean=0.0 if key.endswith("bias") else 1.0, std=0.3)
            weight.copy_(weight.half().float())
    settings = model.generation_config
    settings.pad_token_id = settings.bos_token_id = settings.decoder_start_token_id = vocab
    return model.eval()


def delayed(books: int, channels: int, vocab: int, steps: int) -> torch.Tensor:
    """Codes by formula, delayed by hand, [K, steps]: the tests make the same."""
    out = torch.full((books, steps), vocab)
    for k in range(books):
        for step in range(1 + k // channels, steps):
            row = step - 1 - k // channels
            out[k, step] = (row * row * 3 + row * 5 + k * 7 + row * k) % vocab
    return out


def greedy(model, delays, **inputs):
    """Codes [rows, K] of 200 steps under guidance 3, and the least margin of a choice.

    Melody models run without a cache: with one, generate() of transformers 4.57 (4.49 to 5.x, see its pull request
    48679) drops text and melody before the first step.
    """
    caught = {}
    keep = model.audio_encoder.decode
    model.audio_encoder.decode = lambda codes, **_: (
        caught.setdefault("codes", []).append(codes), type("Out", (), {"audio_values": torch.zeros(1, 1, 1)})
    )[1]
    out = model.generate(
        **inputs, do_sample=False, guidance_scale=3.0, max_new_tokens=STEPS, output_scores=True,
        return_dict_in_generate=True,
    )
    model.audio_encoder.decode = keep
    parts = [codes.reshape(-1, codes.shape[-1]) for codes in caught["codes"]]
    codes = parts[0] if len(parts) == 1 else torch.stack(parts, 1).reshape(-1, parts[0].shape[-1])
    rows = codes.shape[-1]
    margin = min(
        float(top[0] - top[1])
        for step, scores in enumerate(out.scores)
        for k, line in enumerate(scores)
        if 0 <= step - delays[k] < rows
        for top in [line.topk(2).values]
    )
    assert rows == STEPS - max(delays)
    return codes.T.tolist(), margin


def make(name: str, seed: int):
    kind, (hidden, _, _, _, books, channels, vocab), _ = MODELS[name]
    model = build(name, seed)
    delays = [k // channels for k in range(books)]
    ids = torch.tensor([[5, 9, 17, 33, 8, 70, 1]])
    ones = torch.ones_like(ids)
    padded, mask = torch.tensor([ids[0].tolist() + [0, 0, 0]]), torch.tensor([[1] * 7 + [0] * 3])
    long_ids = torch.tensor([[(i * i * 5 + i) % 128 for i in range(160 if name == "text" else 30)]])
    golden = {}
    with torch.no_grad():
        encoder = model.text_encoder
        golden["t5"] = encoder(input_ids=padded, attention_mask=mask).last_hidden_state[0, :7]
        golden["t5_long"] = encoder(input_ids=long_ids).last_hidden_state[0]
        codes = delayed(books, channels, vocab, 14)
        info = dict(ids=ids[0].tolist(), long_ids=long_ids[0].tolist(), steps=14)
        # [K, T, V] → [T, K·V]
        flat = lambda logits, steps: logits[:, -steps:].transpose(0, 1).reshape(steps, -1)
        if kind == "text":
            run = lambda codes, **more: model(decoder_input_ids=codes, **more).logits
            golden["logits"] = flat(run(codes, input_ids=padded, attention_mask=mask), 14)
            zero = transformers.modeling_outputs.BaseModelOutput(torch.zeros(1, 7, encoder.config.d_model))
            golden["null_logits"] = flat(run(codes, encoder_outputs=zero, attention_mask=0 * ones), 14)
            if name == "text":
                long = delayed(books, channels, vocab, LONG)
                golden["long_logits"] = flat(run(long, input_ids=ids, attention_mask=ones)[:, -4:], 4)
                info["long_steps"] = LONG
            info["codes"], margin = greedy(model, delays, input_ids=ids, attention_mask=ones)
        else:
            chroma = lambda frames: torch.nn.functional.one_hot(
                torch.tensor([[(i * i + 3 * i) % 12 for i in range(frames)]]), 12
            ).float()
            run = lambda **more: model(decoder_input_ids=codes, **more).logits
            text = dict(input_ids=ids, attention_mask=ones)
            golden["logits"] = flat(run(**text, input_features=chroma(5)), 14)
            golden["cut_logits"] = flat(run(**text, input_features=chroma(19)), 14)
            golden["text_logits"] = flat(run(**text), 14)
            null = torch.zeros(1, 1, 12)
            null[..., 0] = 1
            if hidden != 12:
                null = model.audio_enc_to_dec_proj(null)
            rows = torch.cat([null.repeat(1, 11, 1), torch.zeros(1, 7, hidden)], 1)
            golden["null_logits"] = flat(run(encoder_hidden_states=rows), 14)
            info["codes"], margin = greedy(model, delays, **text, input_features=chroma(5), use_cache=False)
            info["text_codes"], other = greedy(model, delays, **text, use_cache=False)
            margin = min(margin, other)
            assert info["codes"] != info["text_codes"], "the melody is not heard"
    return model, golden, info, margin


def main() -> None:
    out = pathlib.Path(sys.argv[1])
    made = tokenizer()
    made.save(str(out / "t5-tokenizer.json"), pretty=False)
    answers = [{"text": text, "ids": made.encode(text).ids} for text in SENTENCES]
    (out / "t5-tokenizer.ids.json").write_text(json.dumps(answers, ensure_ascii=False, indent=1) + "\n")
    for name in MODELS:
        for seed in range(200):
            model, golden, info, margin = make(name, seed)
            varied = min(len(set(column)) for column in zip(*info["codes"]))
            if margin > 1.5e-3 and varied > 3:
                break
        else:
            raise SystemExit(f"{name}: no seed will do")
        tensors = {f"golden.{key}": value.contiguous().float() for key, value in golden.items()}
        seen = set()
        for key, value in model.state_dict().items():
            if not key.startswith("audio_encoder") and value.data_ptr() not in seen:
                seen.add(value.data_ptr())
                tensors[key] = value.half().contiguous()
        save_file(tensors, out / f"musicgen-{name}.safetensors")
        info["config"] = json.loads(model.config.to_json_string(use_diff=True))
        (out / f"musicgen-{name}.json").write_text(json.dumps(info) + "\n")
        print(f"{name}: seed {seed}, least margin {margin:.4f}, {varied} different codes in the poorest stream")


if __name__ == "__main__":
    main()
