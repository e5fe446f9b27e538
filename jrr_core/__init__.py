"""jrr: live crypto market data, collected so that it can be trusted."""
