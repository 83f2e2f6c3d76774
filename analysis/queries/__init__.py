"""Reads of the analysis app: what an analysis needs (`inputs`), and what pages show (`pages`)."""

from analysis.queries.inputs import NotAnalysable, load_inputs

__all__ = ["NotAnalysable", "load_inputs"]
