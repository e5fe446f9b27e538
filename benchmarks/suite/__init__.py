"""What `make bench` runs: one load server, contestants that read from it, and the table they end in."""
