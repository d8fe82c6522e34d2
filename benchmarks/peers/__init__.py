"""The same training by other means: scripts, each run in a process and an environment of its own.

Called with a task file (`Task`), each prints one line of JSON: milliseconds for a network-epoch, of each repeat.
"""
