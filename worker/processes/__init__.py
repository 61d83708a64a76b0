"""What each child process of `ferrule up` and `ferrule worker` runs: one small file each, started with -m."""
