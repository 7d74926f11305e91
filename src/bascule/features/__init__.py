"""Features: from images to arrays. :class:`FeatureExtractor` is the base of your own."""

from bascule.features.extractor import FeatureExtractor

__all__ = ["FeatureExtractor"]
