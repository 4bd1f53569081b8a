"""Basic Pitch: the weights of Affetto's asset and the golden of its test, from Spotify's ONNX file.

    pip install torch safetensors numpy
    python goldens/basic_pitch.py nmp.onnx assets/basic-pitch crates/affetto-models/tests/goldens

`nmp.onnx` is `basic_pitch/saved_models/icassp_2022/nmp.onnx` of PyPI's `basic-pitch` 0.4.0. No ONNX library is needed:
the file is read as the protocol buffers it is, and its graph is evaluated operator by operator with torch. The Rust
network is written by hand, so the two share no code.
"""

import math
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

RATE, WINDOW, FRAMES, HOP, OVERLAP = 22050, 43844, 172, 256, 30

# Which initialiser of the graph is which tensor of ours. Batch norms are folded into the convolutions in the file.
NAMES = {
    "cqt.cosine": "const_fold_opt__655",
    "cqt.sine": "const_fold_opt__664",
    "cqt.lowpass": "const_fold_opt__734",
    "cqt.scale": "model_1/cq_t2010v2_1/Sqrt",
    "norm.scale": "model_1/batch_normalization/FusedBatchNormV3;model_1/batch_normalization/FusedBatchNormV3",
    "norm.shift": "model_1/batch_normalization/FusedBatchNormV3;model_1/batch_normalization/FusedBatchNormV31",
    "contour.0.weight": "const_fold_opt__727",
    "contour.0.bias": "model_1/re_lu_1/Relu",
    "contour.1.weight": "const_fold_opt__710",
    "contour.1.bias": "model_1/contours-reduced/BiasAdd/ReadVariableOp",
    "note.0.weight": "const_fold_opt__738",
    "note.0.bias": "model_1/conv2d_2/BiasAdd/ReadVariableOp",
    "note.1.weight": "const_fold_opt__702",
    "note.1.bias": "model_1/conv2d_3/BiasAdd/ReadVariableOp",
    "onset.0.weight": "const_fold_opt__707",
    "onset.0.bias": "model_1/re_lu_3/Relu",
    "onset.1.weight": "const_fold_opt__680",
    "onset.1.bias": "model_1/conv2d_5/BiasAdd/ReadVariableOp",
}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """The fields of one protobuf message: (number, value), the value a number or bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
        else:
            size = {1: 8, 5: 4}.get(wire)
            if size is None:
                size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        yield number, value


def grouped(data):
    groups = {}
    for number, value in fields(data):
        groups.setdefault(number, []).append(value)
    return groups


def read_tensor(data):
    parts = grouped(data)
    kind = {1: "<f4", 6: "<i4", 7: "<i8"}[parts[2][0]]
    return parts[8][0].decode(), np.frombuffer(parts[9][0], kind).reshape(parts.get(1, []))


def read_attribute(data):
    parts = grouped(data)
    signed = lambda x: x - (1 << 64) if x >> 63 else x
    if 8 in parts:
        value = [signed(x) for x in parts[8]]
    elif 4 in parts:
        value = parts[4][0].decode()
    elif 2 in parts:
        value = struct.unpack("<f", parts[2][0])[0]
    else:
        value = signed(parts[3][0])
    return parts[1][0].decode(), value


def read_graph(path):
    graph = grouped(grouped(open(path, "rb").read())[7][0])
    nodes = []
    for data in graph[1]:
        parts = grouped(data)
        names = lambda n: [x.decode() for x in parts.get(n, [])]
        nodes.append((parts[4][0].decode(), names(1), names(2), dict(map(read_attribute, parts.get(5, [])))))
    return nodes, dict(map(read_tensor, graph[5]))


def slices(x, starts, ends, axes):
    for start, end, axis in zip(starts.tolist(), ends.tolist(), axes.tolist()):
        size = x.shape[axis]
        start, end = (max(v + size, 0) if v < 0 else min(v, size) for v in (start, end))
        x = x.narrow(axis, start, end - start)
    return x


def pad(x, pads, mode="constant"):
    rank = x.dim()
    both = [p for axis in reversed(range(rank)) for p in (int(pads[axis]), int(pads[rank + axis]))]
    if mode == "constant":
        return F.pad(x, both)
    # torch reflects the last dimensions only: turn the one that is padded to the end.
    (axis,) = [a for a in range(rank) if pads[a] or pads[rank + a]]
    turned = x.transpose(axis, -1)
    shape = turned.shape
    turned = F.pad(turned.reshape(1, -1, shape[-1]), (int(pads[axis]), int(pads[rank + axis])), mode=mode)
    return turned.reshape(*shape[:-1], -1).transpose(axis, -1)


def conv(x, weight, bias, strides, pads=(0, 0, 0, 0), dilations=(1, 1), group=1, kernel_shape=None):
    x = F.pad(x, (pads[1], pads[3], pads[0], pads[2]))
    return F.conv2d(x, weight, bias, stride=tuple(strides), dilation=tuple(dilations), groups=group)


def unsqueeze(x, axes):
    rank = x.dim() + len(axes)
    for axis in sorted(a % rank for a in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def reduce(function):
    def apply(x, axes, keepdims=1, **_):
        axes = axes.tolist() if isinstance(axes, torch.Tensor) else axes
        return function(x, dim=tuple(axes), keepdim=bool(keepdims))

    return apply


OPERATORS = {
    "Add": torch.add,
    "Cast": lambda x, to: x.to({6: torch.int32, 7: torch.int64}[to]),
    "Concat": lambda *xs, axis: torch.cat(xs, dim=axis),
    "Conv": conv,
    "Div": torch.div,
    "Equal": torch.eq,
    "Log": torch.log,
    "Mul": torch.mul,
    "Neg": torch.neg,
    "Pad": pad,
    "ReduceMax": reduce(torch.amax),
    "ReduceMin": reduce(torch.amin),
    "ReduceSum": reduce(torch.sum),
    "Relu": torch.relu,
    "Reshape": lambda x, shape: x.reshape(shape.tolist()),
    "Shape": lambda x: torch.tensor(x.shape),
    "Sigmoid": torch.sigmoid,
    "Slice": slices,
    "Sqrt": torch.sqrt,
    "Sub": torch.sub,
    "Transpose": lambda x, perm: x.permute(perm),
    "Unsqueeze": unsqueeze,
    "Where": torch.where,
}


def evaluate(nodes, initialisers, audio):
    """Every value of the graph for windows `[n, 43844, 1]`."""
    values = {name: torch.from_numpy(np.array(x)) for name, x in initialisers.items()}
    values["serving_default_input_2:0"] = torch.from_numpy(audio)
    for kind, inputs, outputs, attributes in nodes:
        values[outputs[0]] = OPERATORS[kind](*(values[i] for i in inputs), **attributes)
    return values


# (start in s, length in s, MIDI key): an arpeggio of C major, then its chord.
NOTES = [(0.1, 0.4, 60), (0.5, 0.4, 64), (0.9, 0.4, 67), (1.3, 0.4, 72)] + [(1.8, 1.7, key) for key in (48, 60, 64, 67)]


def sound(seconds):
    """Six harmonics a note under a decaying envelope; the Rust test makes the same from the same formula."""
    t = np.arange(int(seconds * RATE)) / RATE
    x = np.zeros_like(t)
    for start, length, key in NOTES:
        u = t - start
        envelope = np.clip(u / 0.01, 0, 1) * np.exp(-2.0 * u.clip(0)) * np.clip((start + length - t) / 0.02, 0, 1)
        pitch = 440.0 * 2.0 ** ((key - 69) / 12)
        x += 0.12 * envelope * sum(np.sin(2 * math.pi * pitch * h * u) / h**2 for h in range(1, 7))
    return x.astype(np.float32)


def windows(audio):
    """Cut as the original cuts: half an overlap of zeros before, windows 30 frames short of a window apart."""
    padded = np.concatenate([np.zeros(OVERLAP * HOP // 2, np.float32), audio])
    step = WINDOW - OVERLAP * HOP
    cut = [padded[i : i + WINDOW] for i in range(0, len(padded), step)]
    return np.stack([np.pad(x, (0, WINDOW - len(x))) for x in cut])[..., None]


def main(network, assets, goldens):
    nodes, initialisers = read_graph(network)
    full = {}
    for ours, theirs in NAMES.items():
        found = [n for n in initialisers if n == theirs or n.split(";")[0] == theirs and ours.split(".")[0] != "norm"]
        assert len(found) == 1, (ours, found)
        x = initialisers[found[0]]
        full[ours] = np.ascontiguousarray(x.reshape(36, 256) if ours in ("cqt.cosine", "cqt.sine") else x)
    full["cqt.lowpass"] = full["cqt.lowpass"].reshape(256)
    full["cqt.scale"] = full["cqt.scale"].reshape(309)
    assert not initialisers["model_1/cq_t2010v2_1/conv1d_25;model_1/cq_t2010v2_1/conv1d_25"].any()
    about = {
        "source": "spotify/basic-pitch 0.4.0, saved_models/icassp_2022/nmp.onnx, numbers unchanged",
        "licence": "Apache-2.0",
    }
    save_file(full, f"{assets}/basic_pitch.safetensors", about)

    outputs = {"contours": "StatefulPartitionedCall:0", "notes": "StatefulPartitionedCall:1", "onsets": "StatefulPartitionedCall:2"}
    audio = sound(4.0)
    values = evaluate(nodes, initialisers, audio[:WINDOW].reshape(1, -1, 1))
    golden = {"audio": audio[::997]}
    normal = [o[0] for k, i, o, _ in nodes if k == "Add" and i[1] == NAMES["norm.shift"]][0]
    some = np.unique(np.append(np.arange(0, FRAMES, 5), [1, 2, 3, FRAMES - 3, FRAMES - 2, FRAMES - 1]))
    few = np.array([0, 1, 40, 41, 100, 171])
    golden["frames"], golden["few_frames"] = some.astype(np.float32), few.astype(np.float32)
    golden["normal"] = values[normal][0, :, :, 0].numpy()[few]
    golden["contours"] = values[outputs["contours"]][0].numpy()[few]
    for name in ("notes", "onsets"):
        golden[name] = values[outputs[name]][0].numpy()[some]

    values = evaluate(nodes, initialisers, windows(audio))
    count = int(len(audio) / (WINDOW - OVERLAP * HOP) * (FRAMES - OVERLAP))
    golden["count"] = np.array([count], np.float32)
    for name in ("notes", "onsets"):
        kept = values[outputs[name]][:, OVERLAP // 2 : -(OVERLAP // 2)].reshape(-1, 88)[:count].numpy()
        golden[f"stitched_{name}"] = kept[::9]
        print(name, kept.shape, "loudest", kept.max(), "keys above 0.5", sorted(set((np.argwhere(kept > 0.5)[:, 1] + 21).tolist())))
    save_file({k: np.ascontiguousarray(v) for k, v in golden.items()}, f"{goldens}/basic-pitch.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:4])
