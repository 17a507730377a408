"""Predict whole files: pictures and videos in, masks out."""

from sinet.apply.plan import Work, plan
from sinet.apply.run import Failure, apply_to_files
from sinet.apply.write import Style

__all__ = ["Failure", "Style", "Work", "apply_to_files", "plan"]
