"""Coverage-guided fuzzing of the FHIR reader: bytes may raise its own errors alone, and never be slow.

    python -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install atheris pydantic pyyaml lark
    PYTHONPATH=. /tmp/fuzz/bin/python tests/fuzz/fuzz_fhir.py -max_total_time=600 tests/fuzz/fhir_corpus

Atheris has no wheel for every platform: it stays out of the locked dependencies. `test_fhir_corpus.py` runs
the corpus, and changes of it, in every test run.
"""

import sys

import atheris

with atheris.instrument_imports(include=["worker.intake"]):
    from tests.fuzz.fhir_reader import read_all


def main() -> None:
    """Fuzz until told to stop."""
    atheris.Setup(sys.argv, read_all)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
