"""Metrics: from arrays to numbers. :class:`Metric` is the base of your own."""

from bascule.metrics.metric import Metric

__all__ = ["Metric"]
