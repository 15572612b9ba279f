"""Decides where every byte of a model goes and what is merged: a pure function of model and options."""

from harness.core.plan.make import make_plan
from harness.core.plan.show import format_plan
from harness.core.plan.types import MergeDecision, Piece, Plan, StoredTensor

__all__ = ["MergeDecision", "Piece", "Plan", "StoredTensor", "format_plan", "make_plan"]
