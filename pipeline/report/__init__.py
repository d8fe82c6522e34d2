"""The report: one self-contained page, and the tables behind `dvc plots`."""
