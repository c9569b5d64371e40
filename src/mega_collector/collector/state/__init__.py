"""What outlives the process, and what is asked of the aggregator about it."""
