"""The claims, by chapter. Each is an entry; what it asks of the data is the function beside it."""

from . import capacity, clipping, elu, gelu, initialization, normalization, own, relu, transfer

CLAIMS = (
    *initialization.CLAIMS,
    *relu.CLAIMS,
    *elu.CLAIMS,
    *gelu.CLAIMS,
    *normalization.CLAIMS,
    *clipping.CLAIMS,
    *transfer.CLAIMS,
    *capacity.CLAIMS,
    *own.CLAIMS,
)
