"""Makes crates/affetto-models/tests/goldens/melody.json: the pitch classes that transformers hears.

    pip install torch torchaudio transformers==4.57.6 numpy     (a throwaway venv)
    python goldens/melody.py crates/affetto-models/tests/goldens

The sound is made from a formula that the test has too. Where torchaudio is not at hand, its Spectrogram (a centred,
reflecting, periodic Hann power spectrogram) is written out with torch.stft.
"""

import json
import pathlib
import sys

import torch
from transformers.audio_utils import chroma_filter_bank

RATE, N_FFT, HOP = 32000, 16384, 4096


def sound(samples):
    """A scale of three partials a tone, half a second each, over a soft low drone."""
    out = torch.zeros(samples, dtype=torch.float64)
    time = torch.arange(samples, dtype=torch.float64) / RATE
    step = (time * 2).long()
    hertz = 220.0 * 2 ** ((step * 5 % 17).double() / 12)
    for partial, level in ((1, 0.4), (2, 0.2), (3, 0.1)):
        out += level * torch.sin(2 * torch.pi * partial * hertz * time)
    out += 0.05 * torch.sin(2 * torch.pi * 55.0 * time)
    return out.float()


def classes(wave):
    if wave.numel() < N_FFT:
        pad = N_FFT - wave.numel()
        wave = torch.nn.functional.pad(wave, (pad // 2, pad // 2 + pad % 2))
    window = torch.hann_window(N_FFT)
    spec = torch.stft(wave, N_FFT, HOP, N_FFT, window, center=True, pad_mode="reflect", return_complex=True)
    spec = (spec / window.pow(2).sum().sqrt()).abs() ** 2
    bank = torch.from_numpy(chroma_filter_bank(sampling_rate=RATE, num_frequency_bins=N_FFT, tuning=0, num_chroma=12)).float()
    chroma = torch.nn.functional.normalize(bank @ spec, p=float("inf"), dim=0, eps=1e-6)
    top = chroma.topk(2, dim=0).values
    return chroma.argmax(0).tolist(), float((top[0] - top[1]).min())


answers = {}
for samples in (10 * RATE, 100_000, 5_000):
    answers[samples], margin = classes(sound(samples))
    print(samples, len(answers[samples]), "margin", margin, answers[samples][:30])
answers[20_000], _ = classes(torch.zeros(20_000))
path = pathlib.Path(sys.argv[1]) / "melody.json"
path.write_text(json.dumps(answers) + "\n")
