"""Between players and backends: counting, budgets, recall, cache, probe."""
