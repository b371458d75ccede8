"""How far the mean of a few seeds may be off."""

import statistics


def half_interval(values):
    "Half the 95 % interval of the mean, by Student's t"
    from scipy import stats

    return stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
