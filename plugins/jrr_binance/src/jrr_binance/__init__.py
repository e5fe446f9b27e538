"""jrr plugin: hook implementations only."""
