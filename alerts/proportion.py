"""How sure a proportion is that was counted in a few cases. Pure arithmetic."""

from __future__ import annotations

from math import sqrt

Z_95 = 1.959963984540054
"""The standard normal quantile of a two-sided interval of 95 %."""


def wilson(successes: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of `successes` among `of` independent cases, each between 0 and 1.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, J Am Stat Assoc 1927;
    22:209-212. It holds its level for few cases and near 0 and 1, where the usual interval does not (Brown,
    Cai, DasGupta, Stat Sci 2001; 16:101-133).
    """
    if not 0 <= successes <= of or of == 0:
        raise ValueError(f"expected successes among at least one case, got {successes} of {of}")
    share, z2 = successes / of, Z_95 * Z_95
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    reach = Z_95 * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - reach), min(1.0, middle + reach)
