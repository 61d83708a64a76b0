"""The verbs of the `ferrule` command: one small file each, mounted by `worker.cli`."""
