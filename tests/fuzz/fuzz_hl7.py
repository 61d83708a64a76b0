"""Coverage-guided fuzzing of the HL7 door: framing, answers, splitter and reader.

    python -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install atheris -r requirements.lock
    PYTHONPATH=. /tmp/fuzz/bin/python tests/fuzz/fuzz_hl7.py frames -max_total_time=600 tests/fuzz/hl7_corpus

and the same with `messages` for `frames`.

Atheris has no wheel for every platform: it stays out of the locked dependencies. `test_hl7_corpus.py` runs
the corpus, and changes of it, in every test run.
"""

import sys

import atheris

with atheris.instrument_imports(include=["worker.intake", "worker.mllp.received"]):
    from tests.fuzz.hl7_reader import answer_all, frame_all, read_all


def messages(data: bytes) -> None:
    """Answers and facts of one frame's content."""
    answer_all(data)
    read_all(data)


def main() -> None:
    """Fuzz until told to stop."""
    target = {"frames": frame_all, "messages": messages}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
