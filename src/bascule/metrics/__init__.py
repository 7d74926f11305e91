"""Metrics: arrays to numbers. :class:`Metric` is the base of one's own."""

from bascule.metrics.metric import Metric

__all__ = ["Metric"]
