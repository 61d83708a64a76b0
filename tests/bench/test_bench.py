"""The benches run, do the work they claim and write the promised shape. Nothing here looks at a clock."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from rules.load import load_ruleset
from worker.bench.figures import Comparison, Figure, in_turns
from worker.bench.histories import NOW, RESULTS, histories
from worker.bench.rule_library import RULE, NotEqual, check_equal


def bench(tmp_path, *arguments):
    """`ferrule bench …` in an empty DATA_DIR; its JSON."""
    file = tmp_path / "figures.json"
    settings = {"FERRULE_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-m", "worker.cli", "bench", *arguments, "--json", str(file)],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text()), done.stdout


def check_shape(figures, name):
    assert figures["bench"] == name
    for side in ("figure", "yardstick"):
        assert set(figures[side]) == {"value", "unit", "runs"}
        assert all(run > 0 for run in figures[side]["runs"])
    assert figures["ratio"] > 0
    assert figures["spread"] >= 0


def test_the_median_run_counts_and_the_ratio_is_figure_over_yardstick():
    comparison = Comparison("x", Figure("a/s", (10.0, 30.0, 20.0)), Figure("b/s", (40.0, 40.0, 80.0)))

    assert comparison.figure.value == 20.0
    assert comparison.ratio == 0.5
    assert comparison.spread == pytest.approx((0.75 - 0.25) / 0.5)


def test_all_are_measured_in_turns_and_each_begins_sometimes():
    order = []

    def measure(side):
        order.append(side)
        return float(len(order))

    figures, yards = in_turns(lambda: measure("figure"), lambda: measure("yard"), runs=2)

    assert order == ["figure", "yard", "yard", "figure"]
    assert (figures, yards) == ((1.0, 4.0), (2.0, 3.0))


def test_every_history_of_the_bench_has_fifty_results_and_half_of_them_alert():
    people, ruleset = histories(8), load_ruleset()
    alerting = [any(rule.rule == RULE for rule in ruleset.judge(history, NOW).findings) for history in people]

    assert [len(history.results) for history in people] == [RESULTS] * 8
    assert sum(alerting) == 4


def test_the_rule_written_by_hand_finds_what_the_library_finds():
    check_equal(load_ruleset(), histories(24))


def test_bench_rules_gives_compiled_and_reference_beside_their_yardstick_of_the_same_run(tmp_path):
    figures, printed = bench(tmp_path, "rules", "--runs", "2", "--seconds", "0.05")

    check_shape(figures, "rules")
    assert "ratio" in printed
    reference = figures["beside"]["reference"]
    assert reference["unit"] == figures["figure"]["unit"] == "histories/s"
    assert [len(side["runs"]) for side in (figures["figure"], reference, figures["yardstick"])] == [2, 2, 2]
    assert all(run > 0 for run in reference["runs"])
    rows = {line.split()[1]: line.split()[3] for line in printed.splitlines() if "histories/s" in line}
    shown = {name: float(rows[name].replace(",", "")) for name in ("figure", "reference")}
    assert shown["figure"] == pytest.approx(figures["figure"]["value"], abs=0.1)
    assert shown["reference"] == pytest.approx(reference["value"], abs=0.1)
    assert "compiled" in figures["about"]["figure"]
    assert "reference evaluator" in figures["about"]["reference"]


def test_evaluators_that_do_not_agree_are_not_compared():
    library = load_ruleset()
    quiet = replace(library, rules={**library.rules, RULE: replace(library.rules[RULE], status="draft")})
    differing = SimpleNamespace(judge=library.judge, judge_by_reference=quiet.judge_by_reference)
    with pytest.raises(NotEqual, match="compiled and the reference"):
        check_equal(differing, histories(8))


def test_bench_pipeline_judges_what_it_counts_and_leaves_nothing_behind(tmp_path):
    figures, printed = bench(tmp_path, "pipeline", "--runs", "1", "--messages", "10", "--tasks", "20")

    check_shape(figures, "pipeline")
    assert "sqlite" in printed
    assert not (tmp_path / "data").exists()


def test_bench_intake_sends_real_messages_and_gives_the_waits_beside_the_rate(tmp_path):
    sizes = ("--messages", "40", "--connections", "4", "--rows", "20")
    figures, said = bench(tmp_path, "intake", "--runs", "1", *sizes)
    check_shape(figures, "intake")
    assert (figures["figure"]["unit"], figures["yardstick"]["unit"]) == ("messages/s", "commits/s")
    assert "p99" in figures["about"]["answer"]
    assert "p99" in said


def test_bench_history_tells_what_every_length_costs_alone_and_in_a_larger_table(tmp_path):
    figures, _ = bench(tmp_path, "history", "--runs", "1", "--longest", "200", "--table", "500")

    check_shape(figures, "history")
    for length in (10, 100, 200):
        assert f"{length} results, alone" in figures["about"]
        assert any(line.startswith(f"{length} results, among") for line in figures["about"])
    assert not (tmp_path / "data").exists()
