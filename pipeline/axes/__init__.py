"""The axes of a grid, one registry each: what may be chosen there, with its settings, formula and source.

Nothing here needs torch until a network is built. ``params.yaml``, the tables, the theory, the report, the tests and
``docs/axes`` all follow from the entries.
"""
