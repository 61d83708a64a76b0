"""`ferrule bench`: how fast the parts are, each beside a yardstick measured in the same run.

Figures are measured and written down here, never judged: no limit lives in this package.
"""
