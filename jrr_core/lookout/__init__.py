"""Looks at a run once a second and lets alarms stand or end; one file for each subject.

Nothing here is on the way of a frame: it reads what the run counts anyway.
"""
