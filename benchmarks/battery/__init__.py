"""Is what `arena compare` says right? Simulated designs, and how often each statistic is wrong."""
