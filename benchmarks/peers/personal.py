"""Presidio: its sentences and its analyzer; run by its own interpreter.

``python personal.py generate SEED COUNT`` prints ``[[text, [[start, end, mark], ...]], ...]``.
``python personal.py analyze FILE`` reads a JSON list of texts and prints seconds of the processor and what was found as
``[start, end, type, score]``: all its rules for English, without a model of the language (none is to be had offline);
each word is its own lemma in lower case, so that words of context count.
"""

import json
import sys
import time
from pathlib import Path

TYPES = [
    "CREDIT_CARD",
    "PHONE_NUMBER",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "US_SSN",
    "IP_ADDRESS",
    "URL",
    "US_DRIVER_LICENSE",
]


def generate(seed, count):
    """Print sentences of Presidio's own generator."""
    from presidio_evaluator.data_generator import PresidioSentenceFaker

    faker = PresidioSentenceFaker("en_US", lower_case_ratio=0.05)
    faker.seed(seed)
    made = faker.generate_new_fake_sentences(count)
    print(json.dumps([
        [one.full_text, [[s.start_position, s.end_position, s.entity_type] for s in one.spans]] for one in made
    ]))  # fmt: skip


def engine():
    """Return the analyzer."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from spacy.language import Language

    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    @Language.component("plain_lemma")
    def plain_lemma(doc):
        for token in doc:
            token.lemma_ = token.lower_
        return doc

    class Blank(SpacyNlpEngine):
        def __init__(self):
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}
            self.nlp["en"].add_pipe("plain_lemma")

        def load(self):
            """Nothing is to be loaded."""

    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")
    return AnalyzerEngine(nlp_engine=Blank(), registry=registry, supported_languages=["en"])


def analyze(path):
    """Print what the analyzer finds."""
    texts = json.loads(Path(path).read_text(encoding="utf-8"))
    made = engine()
    made.analyze("warm up 4111111111111111", language="en", entities=TYPES)
    begun = time.process_time()
    found = [
        [[one.start, one.end, one.entity_type, one.score] for one in made.analyze(text, language="en", entities=TYPES)]
        for text in texts
    ]
    print(json.dumps({"cpu": time.process_time() - begun, "found": found}))


if __name__ == "__main__":
    if sys.argv[1] == "generate":
        generate(int(sys.argv[2]), int(sys.argv[3]))
    else:
        analyze(sys.argv[2])
