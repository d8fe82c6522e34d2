"""The logistic function and the normal distribution's, in NumPy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# erf x = x T(x²) / U(x²) for |x| < 1; erfc x = exp(-x²) P(x) / Q(x) up to 8, exp(-x²) R(x) / S(x) beyond.
T = (9.60497373987051638749e0, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3,
     5.55923013010394962768e4)  # fmt: skip
U = (1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3, 2.26290000613890934246e4,
     4.92673942608635921086e4)  # fmt: skip
P = (2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687e0, 4.86371970985681366614e1,
     1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3,
     5.57535335369399327526e2)  # fmt: skip
Q = (1.0, 1.32281951154744992508e1, 8.67072140885989742329e1, 3.54937778887819891062e2, 9.75708501743205489753e2,
     1.82390916687909736289e3, 2.24633760818710981792e3, 1.65666309194161350182e3,
     5.57535340817727675546e2)  # fmt: skip
R = (5.64189583547755073984e-1, 1.27536670759978104416e0, 5.01905042251180477414e0, 6.16021097993053585195e0,
     7.40974269950448939160e0, 2.97886665372100240670e0)  # fmt: skip
S = (1.0, 2.26052863220117276590e0, 9.39603524938001434673e0, 1.20489539808096656605e1, 1.70814450747565897222e1,
     9.60896809063285878198e0, 3.36907645100081516050e0)  # fmt: skip


def expit(z: Array) -> Array:
    """Return 1 / (1 + exp(-z)), without overflow on either side."""
    power = np.exp(-np.abs(z))
    share: Array = np.where(z < 0, power, 1.0) / (1 + power)
    return share


def ndtr(z: Array) -> Array:
    """Return the standard normal distribution Φ(z) = erfc(-z / √2) / 2, within a few units in the last place.

    Source: Cody 1969, Rational Chebyshev approximations for the error function, with the coefficients of Moshier's
    Cephes library.
    """
    x = np.abs(np.asarray(z, dtype=np.float64)) * np.sqrt(0.5)
    near, far = np.minimum(x, 1.0), np.clip(x, 1.0, 40.0)  # beyond, the tail is 0
    error = near * _polynomial(near**2, T) / _polynomial(near**2, U)
    middle, beyond = (_polynomial(far, above) / _polynomial(far, below) for above, below in ((P, Q), (R, S)))
    tail = 0.5 * np.exp(-(far**2)) * np.where(far < 8, middle, beyond)
    share: Array = np.where(x < 1, 0.5 + 0.5 * np.copysign(error, z), np.where(np.signbit(z), tail, 1 - tail))
    return share


def _polynomial(x: Array, coefficients: Sequence[float]) -> Array:
    """Return a polynomial, its highest power's coefficient first, by Horner's rule."""
    value: Array = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value = value * x + coefficient
    return value
