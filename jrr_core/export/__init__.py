"""What a store holds, as files for other programs: CSV, Parquet, and the CSV layouts of tardis.dev.

Exact: no number passes through a float. Whole: a file appears under its name
when it is finished, and beside it what of its time is complete.
"""
