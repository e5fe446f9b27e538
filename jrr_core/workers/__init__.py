"""One collector in several processes: a parent that collects nothing, and workers that each carry a part.

`team` is the parent: it starts and ends the workers, sums what they tell and
passes on what it is told. `member` is one place in the team, filled by one
`process` after another; `worker` is what runs inside of it. They talk in lines
(`lines`) over the worker's standard streams. docs/design/workers.md has why.
"""
