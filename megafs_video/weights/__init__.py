"""Model files: the table, the cache, fetching them, and reading them safely."""
