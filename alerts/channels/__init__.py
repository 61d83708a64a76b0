"""One small file for each way to tell someone."""
