"""The textbook's networks by Keras: ``keras_notebook.py DATA.npz NAME EPOCHS SEED …`` prints a line of JSON a run."""

import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

layers = keras.layers
MODELS = {
    "leaky_relu": lambda: [
        layers.Dense(300, kernel_initializer="he_normal"), layers.LeakyReLU(),
        layers.Dense(100, kernel_initializer="he_normal"), layers.LeakyReLU(),
    ],
    "prelu": lambda: [
        layers.Dense(300, kernel_initializer="he_normal"), layers.PReLU(),
        layers.Dense(100, kernel_initializer="he_normal"), layers.PReLU(),
    ],
    "bn_after": lambda: [
        layers.BatchNormalization(),
        layers.Dense(300, activation="relu"), layers.BatchNormalization(),
        layers.Dense(100, activation="relu"), layers.BatchNormalization(),
    ],
    "bn_before": lambda: [
        layers.BatchNormalization(),
        layers.Dense(300, use_bias=False), layers.BatchNormalization(), layers.Activation("relu"),
        layers.Dense(100, use_bias=False), layers.BatchNormalization(), layers.Activation("relu"),
    ],
    "selu_100": lambda: [
        layers.Dense(units, activation="selu", kernel_initializer="lecun_normal") for units in [300, *[100] * 99]
    ],
    "relu_100": lambda: [
        layers.Dense(units, activation="relu", kernel_initializer="he_normal") for units in [300, *[100] * 99]
    ],
}  # fmt: skip


TRANSFERS = {
    "transfer": lambda: [layers.Dense(units, activation="selu") for units in (300, 100, 50, 50, 50)],
    "transfer_third_edition": lambda: [
        layers.Dense(100, activation="relu", kernel_initializer="he_normal") for _ in range(3)
    ],
}  # fmt: skip
REPORTED = {"train_accuracy": "accuracy", "train_loss": "loss", "val_accuracy": "val_accuracy", "val_loss": "val_loss"}


def fit(model: keras.Model, data: dict, task: str, epochs: int, orders: np.random.Generator) -> dict[str, float]:
    """Train; return the last epoch's scores, and the test part's.

    Each epoch has an order of its own, as in the textbook's Keras. With a global seed, `fit` of Keras 3 on TensorFlow
    shuffles every epoch alike, and networks with batch norm learn their batches.
    """
    loss = "binary_crossentropy" if model.output_shape[1] == 1 else "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(1e-3), loss, metrics=["accuracy"])
    parts = {name: (data[f"{task}{name}_x"], data[f"{task}{name}_y"]) for name in ("train", "validation", "test")}
    x, y = parts["train"]
    for epoch in range(1, epochs + 1):
        order = orders.permutation(len(x))
        scored = {"validation_data": parts["validation"]} if epoch == epochs else {}
        seen = model.fit(x[order], y[order], 32, shuffle=False, verbose=0, **scored)
    scores = {score: float(seen.history[reported][-1]) for score, reported in REPORTED.items()}
    loss_, accuracy = model.evaluate(*parts["test"], verbose=0)
    return scores | {"test_loss": float(loss_), "test_accuracy": float(accuracy)}


def run(name: str, epochs: int, data: dict, orders: np.random.Generator) -> dict[str, dict[str, float]]:
    """Train a network of ten classes once; return its scores by its name."""
    model = [layers.Input((data["train_x"].shape[1],)), *MODELS[name](), layers.Dense(10, activation="softmax")]
    return {name: fit(keras.Sequential(model), data, "", epochs, orders)}


def transfer(name: str, epochs: int, data: dict, orders: np.random.Generator) -> dict[str, dict[str, float]]:
    """Train task A, task B from scratch, and task B on a copy of A's layers, four epochs of them frozen."""
    features = layers.Input((data["a_train_x"].shape[1],))
    model_a = keras.Sequential([features, *TRANSFERS[name](), layers.Dense(8, activation="softmax")])
    of_a = fit(model_a, data, "a_", epochs, orders)
    scratch = keras.Sequential([features, *TRANSFERS[name](), layers.Dense(1, activation="sigmoid")])
    from_scratch = fit(scratch, data, "b_", epochs, orders)
    copy = keras.models.clone_model(model_a)
    copy.set_weights(model_a.get_weights())
    on_a = keras.Sequential([features, *copy.layers[:-1], layers.Dense(1, activation="sigmoid")])
    for trainable, some in ((False, 4), (True, epochs - 4)):
        for layer in on_a.layers[:-1]:
            layer.trainable = trainable
        found = fit(on_a, data, "b_", some, orders)
    edition = name.removeprefix("transfer")
    return {
        f"transfer_A{edition}": of_a,
        f"transfer_B_scratch{edition}": from_scratch,
        f"transfer_B_on_A{edition}": found,
    }


def main(file: str, name: str, epochs: str, *seeds: str) -> None:
    """Print each run."""
    with np.load(file) as arrays:
        data = dict(arrays)
    for seed in seeds:
        keras.utils.set_random_seed(int(seed))
        once = transfer if name in TRANSFERS else run
        print(json.dumps(once(name, int(epochs), data, np.random.default_rng(int(seed)))), flush=True)
        keras.backend.clear_session()


if __name__ == "__main__":
    main(*sys.argv[1:])
