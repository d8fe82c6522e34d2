"""The claims, by chapter. Each is an entry; what it asks of the data is the function beside it."""

from pipeline.evaluation.claims import activations, clipping, initialization, normalization, transfer

CLAIMS = (
    *initialization.CLAIMS,
    *activations.CLAIMS,
    *normalization.CLAIMS,
    *clipping.CLAIMS,
    *transfer.CLAIMS,
)
