"""This machine's processes, threads and memory: what makes many small networks fast without changing their bits."""
