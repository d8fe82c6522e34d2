"""The columns of the experiments' tables, and the champion's files."""

PROPAGATION_SETTING = ["shape", "architecture", "initializer", "activation", "normalization", "regularization"]
"""What tells rows about different networks at initialisation apart."""
TRANSFER_SETTING = ["experiment", "task", "method", "labels", "reused", "unfrozen"]

CHAMPION_FILE = "champion.json"
"""What is known of a study's champion; see `pipeline.experiments.champion.crown`."""
REPEATS_FILE = "repeats.parquet"
"""The champion's setting again; see `pipeline.experiments.repeats.repeat`."""
CHAMPION_FOLDER = "champion"
"""Of its weights, of what serves it, and of its card; among a study's results, and among MLflow's artifacts."""
ABOUT_FILE = "model.json"
"""In the champion's folder: what its columns and classes are called, and a sample to try it on."""
