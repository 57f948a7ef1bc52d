"""lossnlp reads lost B2B deals and says, with evidence, why they were really lost."""

from lossnlp.assessment import Assessment, Evidence, Reason
from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal, Document, Turn
from lossnlp.errors import BundleError, InvalidDealError, LossNlpError
from lossnlp.taxonomy import Taxonomy, get_default_taxonomy

__all__ = [
    "Assessment",
    "BundleError",
    "Deal",
    "Document",
    "Evidence",
    "InvalidDealError",
    "LossClassifier",
    "LossNlpError",
    "Reason",
    "Taxonomy",
    "Turn",
    "get_default_taxonomy",
]
