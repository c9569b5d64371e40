"""How fast, and at what cost, beside the peers found on this machine: `scripts/bench`."""
