"""Everything a run needs, tried once: what `jrr check` tells. Each finding comes with its cure.

Collects nothing and changes nothing, but that a store that is tried makes or
migrates its schema, as the run would.
"""
