"""Engine 1: DuckDB. Builds one immutable file per run, and answers questions from it."""
