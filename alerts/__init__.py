"""What becomes of a finding: from raised, through told and answered, to closed.

The core is pure (everything, time included, is handed in); `store`, `outbox` and `audit` say how it is kept.
"""
