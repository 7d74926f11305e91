"""Features: images to arrays. :class:`FeatureExtractor` is the base of one's own."""

from bascule.features.extractor import FeatureExtractor

__all__ = ["FeatureExtractor"]
