"""Trains what it is given with Keras, in Keras's own environment: ``python peer.py FOLDER``.

Reads ``cases.json`` and each case's ``<place>.npz``; writes ``<place>.out.npz``: the weights at the end, and what
``fit`` reports of each epoch.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np

ACTIVATIONS = {"swish": "silu", "identity": "linear"}
"""By other names in Keras."""
REPORTED = ("loss", "accuracy", "val_loss", "val_accuracy")


def layer_of(spec: dict) -> keras.Layer:
    kind = spec["kind"]
    if kind == "dense":
        return keras.layers.Dense(spec["units"], use_bias=spec["bias"])
    if kind == "batch_norm":
        return keras.layers.BatchNormalization(momentum=spec["momentum"], epsilon=spec["eps"])
    if kind == "layer_norm":
        return keras.layers.LayerNormalization(epsilon=spec["eps"])
    if kind == "leaky_relu":
        return keras.layers.LeakyReLU(**({} if spec["slope"] == 0.3 else {"negative_slope": spec["slope"]}))
    if kind == "prelu":
        return keras.layers.PReLU()
    return keras.layers.Activation(ACTIVATIONS.get(kind, kind))


def optimizer_of(spec: dict) -> keras.optimizers.Optimizer:
    kinds = {
        "sgd": keras.optimizers.SGD,
        "momentum": lambda rate, **clip: keras.optimizers.SGD(rate, momentum=0.9, **clip),
        "nesterov": lambda rate, **clip: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, **clip),
        "rmsprop": keras.optimizers.RMSprop,
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
    }
    return kinds[spec["name"]](spec["rate"], **spec["clip"])


def train(case: dict, given: dict) -> dict:
    outputs = keras.layers.Activation("sigmoid" if case["binary"] else "softmax")
    model = keras.Sequential([keras.layers.Input((given["x"].shape[1],)), *map(layer_of, case["layers"]), outputs])
    model.set_weights([given[f"start{place}"] for place in range(len(model.get_weights()))])
    loss = "binary_crossentropy" if case["binary"] else "sparse_categorical_crossentropy"
    model.compile(optimizer_of(case["optimizer"]), loss, metrics=["accuracy"])
    scores = []
    for epoch in range(case["epochs"]):
        order = given[f"order{epoch}"]
        seen = model.fit(
            given["x"][order], given["y"][order], case["batch_size"], epochs=1, shuffle=False, verbose=0,
            validation_data=(given["validation_x"], given["validation_y"]),
        )  # fmt: skip
        scores.append([seen.history[name][0] for name in REPORTED])
    return {f"end{place}": values for place, values in enumerate(model.get_weights())} | {"scores": np.array(scores)}


def main(folder: Path) -> None:
    for place, case in enumerate(json.loads((folder / "cases.json").read_text())):
        with np.load(folder / f"{place}.npz") as given:
            np.savez(folder / f"{place}.out.npz", **train(case, dict(given)))
        keras.backend.clear_session()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
