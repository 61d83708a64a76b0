"""`ferrule demo`: a made-up day of results, sent through the real doors to real workers, and shown.

Only this package makes data up; nothing of it is used by the running program.
"""
