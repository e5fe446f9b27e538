"""PostgreSQL store for jrr."""
