"""Keras's ``fit``, one network at a time, as in the textbook's notebook."""

import os
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
from task import Task, run


def train(task: Task) -> Callable[[], float]:
    """Return what trains one network."""
    x, y, validation_x, validation_y = task.parts()

    def build() -> keras.Model:
        layers: list[keras.Layer] = [keras.layers.Input((x.shape[1],))]
        if task.batch_norm:
            layers.append(keras.layers.BatchNormalization())
        for units in task.hidden:
            layers.append(keras.layers.Dense(units, kernel_initializer="he_normal", use_bias=not task.batch_norm))
            if task.batch_norm:
                layers.append(keras.layers.BatchNormalization())
            layers.append(keras.layers.Activation(task.activation))
        layers.append(keras.layers.Dense(10, activation="softmax"))
        model = keras.Sequential(layers)
        model.compile(
            "sgd" if not task.learning_rate else keras.optimizers.SGD(task.learning_rate),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )
        return model

    def once() -> float:
        build().fit(
            x, y, task.batch_size, task.epochs, verbose=0, validation_data=(validation_x, validation_y)
        )  # tracing the graph is part of it: every network of a grid pays for it
        return -1.0

    return once


if __name__ == "__main__":
    run(train)
