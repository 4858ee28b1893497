"""Protocol, runner, metrics, statistics and the report."""
