"""What a result means: analytes, units, rules, and the judging of one patient's history.

Pure. Nothing in this package asks a clock, a network, a database or a logger; it reads rule files and
nothing else. Time is always handed in.
"""
