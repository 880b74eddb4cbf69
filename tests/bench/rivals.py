#!/usr/bin/env python3
"""Runs other detectors over texts, in their own environment (see redact.py).

    rivals.py scan NAME < lines of {"id","text"}      prints lines of {"id","spans"}
    rivals.py speed NAME ROUNDS < {"name": "text"}    prints {"name": [MB/s of each round]}

`fastscrub` replaces and names, so its spans are where its in-place form writes asterisks.
`presidio` is its analyzer with every predefined pattern recognizer of every country and a
tokenizer in place of a language model: no names, places or organisations, but with its context
words, at the score that a weak pattern reaches with such a word beside it.
"""

import json
import logging
import re
import sys
import time

# Their names for our kinds. What is missing here (URLs, dates, postcodes, plates) is left out of
# their results: no side is asked for it.
FASTSCRUB = {
    "EMAIL": "EMAIL",
    "PHONE": "PHONE",
    "SSN": "SSN",
    "CREDIT_CARD": "CREDIT_CARD",
    "IP": "IP",
    "MAC": "MAC",
    "IBAN": "IBAN",
    "JWT": "JWT",
    "PRIVATE_KEY": "PRIVATE_KEY",
    "DB_CONN": "CREDENTIALS",
    "PASSWORD": "PASSWORD",
    "SECRET": "SECRET",
    "UUID": None,
}
PRESIDIO = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "ZA_MOBILE_NUMBER": "PHONE",
    "ZA_TELEPHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CREDIT_CARD",
    "CRYPTO": "CRYPTO_WALLET",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "MAC_ADDRESS": "MAC",
    "US_SSN": "SSN",
    "US_ITIN": "ITIN",
    "ABA_ROUTING_NUMBER": "ABA_ROUTING",
    "US_BANK_NUMBER": "BANK_ACCOUNT",
    "US_NPI": "NPI",
    "US_MBI": "MBI",
    "MEDICAL_LICENSE": "DEA",
    "CA_SIN": "SIN",
    "UK_NINO": "NINO",
    "UK_NHS": "NHS_NUMBER",
    "IN_PAN": "PAN",
    "IN_AADHAAR": "AADHAAR",
    "IN_GSTIN": "GSTIN",
    "IN_VOTER": "VOTER_ID",
    "IT_FISCAL_CODE": "CODICE_FISCALE",
    "FI_PERSONAL_IDENTITY_CODE": "HETU",
    "SE_PERSONNUMMER": "PERSONNUMMER",
    "SG_NRIC_FIN": "NRIC",
    "PL_PESEL": "PESEL",
    "AU_TFN": "TFN",
    "AU_ABN": "ABN",
    "AU_MEDICARE": "MEDICARE_AU",
    "KR_RRN": "RRN",
    "KR_FRN": "RRN",
    "ES_NIF": "DNI",
    "ES_NIE": "DNI",
    "DE_TAX_ID": "STEUER_ID",
    "TR_NATIONAL_ID": "TCKN",
    "ZA_ID_NUMBER": "SA_ID",
    "TH_TNIN": "THAI_ID",
    "US_PASSPORT": "PASSPORT",
    "UK_PASSPORT": "PASSPORT",
    "IN_PASSPORT": "PASSPORT",
    "IT_PASSPORT": "PASSPORT",
    "DE_PASSPORT": "PASSPORT",
    "ES_PASSPORT": "PASSPORT",
    "KR_PASSPORT": "PASSPORT",
    "ZA_PASSPORT": "PASSPORT",
    "PH_PASSPORT": "PASSPORT",
    "US_DRIVER_LICENSE": "DRIVING_LICENCE",
    "UK_DRIVING_LICENCE": "DRIVING_LICENCE",
    "IT_DRIVER_LICENSE": "DRIVING_LICENCE",
    "KR_DRIVER_LICENSE": "DRIVING_LICENCE",
    "DE_FUEHRERSCHEIN": "DRIVING_LICENCE",
    "ZA_DRIVER_LICENSE": "DRIVING_LICENCE",
}
SCORE = 0.4


class Fastscrub:
    def __init__(self):
        import fastscrub

        self.engine = fastscrub.Engine(worker_count=1)

    def find(self, text):
        before = text.encode()
        after = bytearray(before)
        self.engine.scrub_inplace(after)
        kinds = re.findall(r"\[REDACTED_([A-Z0-9_]+)\]", str(self.engine.scrub(text)))
        changed = [new != old for new, old in zip(after, before)]
        runs, at = [], 0
        while at < len(after):
            if changed[at]:
                end = at
                while end < len(after) and after[end] == ord("*"):
                    end += 1
                runs.append(
                    (len(before[:at].decode(errors="ignore")), len(before[:end].decode(errors="ignore")))
                )
                at = end
            else:
                at += 1
        if len(kinds) != len(runs):
            kinds = ["?"] * len(runs)
        for (start, end), kind in zip(runs, kinds):
            kind = FASTSCRUB.get(kind, "API_KEY" if kind != "?" else "?")
            if kind:
                yield start, end, kind

    def run(self, text):
        return self.engine.scrub(text)


class Presidio:
    def __init__(self):
        logging.disable(logging.CRITICAL)
        import inspect

        import spacy
        from presidio_analyzer import (
            AnalyzerEngine,
            LocalRecognizer,
            PatternRecognizer,
            RecognizerRegistry,
        )
        from presidio_analyzer import predefined_recognizers as predefined
        from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

        class Tokens(NlpEngine):
            """A tokenizer and nothing else."""

            blank = spacy.blank("en")

            def load(self):
                """There is nothing to load."""

            def is_loaded(self):
                return True

            def process_text(self, text, language):
                doc = self.blank(text)
                return NlpArtifacts(
                    [],
                    doc,
                    [token.idx for token in doc],
                    [token.text.lower() for token in doc],
                    self,
                    language,
                )

            def process_batch(self, texts, language, **_):
                return ((text, self.process_text(text, language)) for text in texts)

            def is_stopword(self, word, language):
                return self.blank.vocab[word].is_stop

            def is_punct(self, word, language):
                return self.blank.vocab[word].is_punct

            def get_supported_entities(self):
                return []

            def get_supported_languages(self):
                return ["en"]

        Tokens.blank.max_length = 10_000_000
        registry = RecognizerRegistry(recognizers=[], supported_languages=["en"])
        # The phone recognizer is no pattern recognizer, but needs no model either.
        wanted = (PatternRecognizer, predefined.PhoneRecognizer)
        for name in sorted(predefined.__all__):
            made = getattr(predefined, name)
            if (
                not inspect.isclass(made)
                or not issubclass(made, LocalRecognizer)
                or not issubclass(made, wanted)
            ):
                continue
            try:
                registry.add_recognizer(made(supported_language="en"))
            except TypeError:
                recognizer = made()
                recognizer.supported_language = "en"
                registry.add_recognizer(recognizer)
        self.analyzer = AnalyzerEngine(
            registry=registry, nlp_engine=Tokens(), supported_languages=["en"], default_score_threshold=SCORE
        )
        print(f"presidio: {len(registry.recognizers)} recognizers", file=sys.stderr)

    def find(self, text):
        found = [
            (r.score, r.end - r.start, r.start, r.end, PRESIDIO[r.entity_type])
            for r in self.run(text)
            if r.entity_type in PRESIDIO
        ]
        # Its anonymizer resolves overlaps: the better score, then the longer.
        kept = []
        for _, _, start, end, kind in sorted(found, key=lambda one: (-one[0], -one[1], one[2])):
            if all(end <= other[0] or start >= other[1] for other in kept):
                kept.append((start, end, kind))
        return sorted(kept)

    def run(self, text):
        return self.analyzer.analyze(text, language="en")


def main():
    task, name, *rest = sys.argv[1:]
    engine = {"fastscrub": Fastscrub, "presidio": Presidio}[name]()
    if task == "scan":
        for line in sys.stdin:
            entry = json.loads(line)
            spans = [
                {"start": s, "end": e, "type": kind, "rule": name}
                for s, e, kind in engine.find(entry["text"])
            ]
            print(json.dumps({"id": entry["id"], "spans": spans}))
        return
    rates = {}
    for key, text in json.load(sys.stdin).items():
        size = len(text.encode())
        engine.run(text[:2000])
        rates[key] = []
        for _ in range(int(rest[0])):
            passes, start = 0, time.perf_counter()
            while passes == 0 or time.perf_counter() - start < 0.3:
                engine.run(text)
                passes += 1
            rates[key].append(passes * size / (time.perf_counter() - start) / 1e6)
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
