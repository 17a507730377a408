"""The engine: works through the jobs of a table of stages, and knows none of them.

A room that has work to be done describes it as `StageWork` and calls `work_through`.
"""
