"""What whoever runs an aggregator asks of it, beside it on its machine."""
