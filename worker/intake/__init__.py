"""From bytes to facts: one file for each format that comes in, and one that reads them all as facts."""
