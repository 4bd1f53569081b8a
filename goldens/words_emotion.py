"""Fits assets/words-emotion/head.safetensors: sentence embedding -> valence and arousal.

    pip install numpy safetensors
    cargo build --release -p affetto-models --example embed
    python goldens/words_emotion.py EMOBANK.csv.gz target/release/examples/embed assets/words-emotion

EmoBank (https://github.com/JULIELab/EmoBank, CC BY-SA 4.0) gives sentences, assets/lexicon/lexicon.csv gives words.
Embeddings are those of the shipped int8 encoder. Prints the correlations that stand in the card.
"""

import csv
import gzip
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import save_file

CARRIERS = ["{}", "{} music", "a {} piece of music", "{} piano", "a {} scene"]
PROBES = ["happy", "sad", "a funeral in the rain", "angry battle", "calm evening", "joyful dance", "lonely", "fear",
          "a quiet piano at dusk", "instrumental music", "a walk in the park on a sunny day", "the last goodbye",
          "bright strings", "running from the monster", "my dog died yesterday", "lullaby for a sleeping child",
          "we won the championship", "an empty house in winter", "heavy metal riff", "tension before the storm"]
KNOTS = 33
EMOBANK_SHARE = 0.2  # of the answers the knots are taken from; the rest are for words in carriers
FOLDS = 5


def embed(tool, texts):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "texts"), pathlib.Path(folder, "embeddings")
        source.write_text("".join(" ".join(t.split()) + "\n" for t in texts))
        subprocess.run([tool, source, target], check=True)
        x = np.fromfile(target, "<f4").reshape(-1, 384).astype(np.float64)
    assert len(x) == len(texts)
    return x


def ridge(x, y, weight, strength):
    """Weighted ridge with an unpenalised bias; returns weight [384, 2] and bias [2]."""
    w = weight / weight.sum()
    mx, my = w @ x, w @ y
    xc, yc = x - mx, y - my
    beta = np.linalg.solve((xc * w[:, None]).T @ xc + strength * np.eye(x.shape[1]), (xc * w[:, None]).T @ yc)
    return beta, my - mx @ beta


def r(a, b):
    return [round(float(np.corrcoef(a[:, i], b[:, i])[0, 1]), 3) for i in range(2)]


def spread(y, reference):
    """Ranks of each column of y among reference, as 2q - 1."""
    out = np.empty_like(y)
    for i in range(2):
        order = np.sort(reference[:, i])
        q = (np.searchsorted(order, y[:, i], "left") + np.searchsorted(order, y[:, i], "right")) / 2 / len(order)
        out[:, i] = 2 * q - 1
    return out


def read_knots(raw, knots):
    grid = np.linspace(-1, 1, KNOTS)
    return np.stack([np.interp(raw[:, i], knots[i], grid) for i in range(2)], 1)


def main(emobank, tool, target):
    rows = list(csv.DictReader(gzip.open(emobank, "rt", encoding="utf-8")))
    rows = [row for row in rows if row["text"].strip()]
    split = np.array([row["split"] for row in rows])
    va = (np.array([[float(row["V"]), float(row["A"])] for row in rows]) - 3) / 2
    sentences = embed(tool, [row["text"] for row in rows])
    y = spread(va, va[split == "train"])
    train, dev, test = split == "train", split == "dev", split == "test"

    lexicon = list(csv.DictReader((target.parent / "lexicon/lexicon.csv").open()))
    words = [row["word"] for row in lexicon]
    wy = np.array([[float(row["valence"]), float(row["arousal"])] for row in lexicon])
    wx = np.stack([embed(tool, [c.format(w) for w in words]) for c in CARRIERS], 1)  # [words, carriers, 384]
    # Words that begin alike (grief, grieving) stay in one fold.
    families = sorted({w[:4] for w in words})
    order = np.random.default_rng(7).permutation(len(families)) % FOLDS
    fold = np.array([order[families.index(w[:4])] for w in words])

    def fit(words_in, strength, lexicon_weight, with_emobank=True):
        n = len(CARRIERS)
        x = [wx[words_in].reshape(-1, 384)]
        t = [np.repeat(wy[words_in], n, 0)]
        w = [np.full(words_in.sum() * n, lexicon_weight * train.sum() / (words_in.sum() * n))]
        if with_emobank:
            x.append(sentences[train]), t.append(y[train]), w.append(np.ones(train.sum()))
        x, t, w = map(np.concatenate, (x, t, w))
        return ridge(x, t, w, strength)

    print("EmoBank alone:")
    for strength in (1e-4, 3e-4, 1e-3, 3e-3):
        beta, bias = ridge(sentences[train], y[train], np.ones(train.sum()), strength)
        print(f"  ridge {strength:g}: EmoBank dev r {r(sentences[dev] @ beta + bias, y[dev])},"
              f" all words r {r(wx[:, 0] @ beta + bias, wy)}")
    print("joint, chosen on EmoBank dev and folds 1-4 of the words:")
    best = None
    for lexicon_weight in (0.25, 0.5, 1.0):
        for strength in (1e-4, 3e-4, 1e-3, 3e-3):
            answers = np.empty_like(wy)
            for k in range(1, FOLDS):
                beta, bias = fit((fold != k) & (fold != 0), strength, lexicon_weight)
                answers[fold == k] = wx[fold == k][:, 0] @ beta + bias
            word_r = r(answers[fold != 0], wy[fold != 0])
            beta, bias = fit(fold != 0, strength, lexicon_weight)
            dev_r = r(sentences[dev] @ beta + bias, y[dev])
            print(f"  lexicon {lexicon_weight:g}, ridge {strength:g}: dev r {dev_r}, words r {word_r}")
            score = sum(word_r) + sum(dev_r)
            if best is None or score > best[0]:
                best = (score, lexicon_weight, strength)
    _, lexicon_weight, strength = best
    beta, bias = fit(fold != 0, strength, lexicon_weight)
    held = fold == 0
    print(f"chosen: lexicon {lexicon_weight:g}, ridge {strength:g}")
    print(f"EmoBank test (n {test.sum()}): r {r(sentences[test] @ beta + bias, va[test])}")
    print(f"held-out words (n {held.sum()}): r {r(wx[held][:, 0] @ beta + bias, wy[held])}")
    carried = wx[held][:, 2] @ beta + bias
    print(f"held-out words in '{CARRIERS[2]}': r {r(carried, wy[held])}, "
          f"cross r (valence heard, arousal meant; and back) {r(carried, wy[held][:, ::-1])}")

    # The head that ships sees all words; its knots are quantiles of answers for words and sentences it has not seen.
    unseen = np.empty(wx.shape[:2] + (2,))
    for k in range(FOLDS):
        b, c = fit(fold != k, strength, lexicon_weight)
        unseen[fold == k] = wx[fold == k] @ b + c
    beta, bias = fit(np.ones(len(words), bool), strength, lexicon_weight)
    other = sentences[dev | test] @ beta + bias
    pool = unseen.reshape(-1, 2)
    more = other[np.arange(int(len(pool) * EMOBANK_SHARE / (1 - EMOBANK_SHARE))) % len(other)]
    knots = np.quantile(np.concatenate([pool, more]), np.linspace(0, 1, KNOTS), axis=0).T
    error = np.abs(read_knots(unseen[:, 0], knots) - wy).mean(0)
    print(f"after the knots, mean absolute error of unseen words: {error.round(2)}")

    probes = read_knots(embed(tool, PROBES) @ beta + bias, knots)
    for text, (v, a) in zip(PROBES, probes):
        print(f"  {text!r}: valence {v:+.2f}, arousal {a:+.2f}")
    target.mkdir(parents=True, exist_ok=True)
    tensors = {
        "weight": np.ascontiguousarray(beta.T, np.float32),
        "bias": bias.astype(np.float32),
        "knots_valence": np.ascontiguousarray(knots[0], np.float32),
        "knots_arousal": np.ascontiguousarray(knots[1], np.float32),
    }
    meta = {"license": "CC BY-SA 4.0", "data": "EmoBank (Buechel & Hahn 2017), CC BY-SA 4.0; Affetto's lexicon"}
    save_file(tensors, target / "head.safetensors", metadata=meta)
    (target / "head.safetensors").chmod(0o644)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3]))
