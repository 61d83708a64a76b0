import pytest

from worker.intake.specimen import specimen_notes


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("hemolyzed", "hemolyzed"),
        ("HAEMOLYSED", "hemolyzed"),
        ("Specimen slightly hemolyzed.", "hemolyzed"),
        ("sample was grossly lipaemic", "lipemic"),
        ("Clotted specimen", "clotted"),
        ("QNS", "insufficient"),
        ("wrong blood in tube", "wrong-blood"),
        ("drip arm", "drip-arm"),
        ("drip_arm", "drip-arm"),
        ("Diluted", "diluted"),
    ],
)
def test_a_spelling_is_read_as_its_word(text, word):
    assert specimen_notes([text]) == (word,)


@pytest.mark.parametrize(
    "text", ["not hemolyzed", "hemolysis index 2", "no clots seen", "fasting", "hemolyzed? no"]
)
def test_a_note_that_says_more_stays_text(text):
    assert specimen_notes([text]) == (text,)


def test_notes_are_lower_case_and_told_once():
    assert specimen_notes(["Non-Fasting", "non-fasting ", "", "HEMOLYZED"]) == ("non-fasting", "hemolyzed")
