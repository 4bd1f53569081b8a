"""Compares MusiCNN's golden with the published ONNX file: prints the greatest distances.

    pip install onnxruntime safetensors numpy
    python goldens/musicnn.py MSD_musicnn.onnx crates/affetto-models/tests/fixtures/musicnn.safetensors
"""

import sys

import numpy as np
import onnxruntime
from safetensors.numpy import load_file

INPUT = "model/Placeholder:0"
OUTPUTS = {"tags": "model/Sigmoid:0", "penultimate": "model/batch_normalization_10/batchnorm/add_1:0"}


def main(network, golden):
    golden = load_file(golden)
    session = onnxruntime.InferenceSession(network)
    answers = session.run(list(OUTPUTS.values()), {INPUT: golden["mel"][None]})
    for name, answer in zip(OUTPUTS, answers):
        print(name, np.abs(answer[0] - golden[name]).max())


if __name__ == "__main__":
    main(*sys.argv[1:3])
