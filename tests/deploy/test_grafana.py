"""The dashboard: what is committed is what the code builds, and Prometheus can parse every panel."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.grafana.dashboard import ROWS, WRITTEN, build, expressions


def panels() -> Iterator[dict[str, object]]:
    return (panel for panel in json.loads(WRITTEN.read_text())["panels"] if panel["type"] != "row")


def test_the_committed_dashboard_is_what_the_code_builds() -> None:
    assert WRITTEN.read_text() == build()


def test_every_panel_is_parsed_by_prometheus(
    promtool: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    lines = ["groups: [{name: panels, rules: ["]
    for number, expression in enumerate(expressions()):
        lines.append(f"{{record: 'panel:{number}', expr: {json.dumps(expression)}}},")
    rules = tmp_path / "panels.yml"
    rules.write_text("\n".join([*lines, "]}]"]))
    checked = promtool("check", "rules", rules)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(expressions())} rules found" in checked.stdout


def test_the_four_stations_of_the_loop_are_the_rows() -> None:
    assert list(ROWS) == ["Now", "Received", "Judged", "Told", "Answered"]


def test_panels_do_not_overlap_and_fill_the_width() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert isinstance(place, dict)
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells
    assert max(x for x, _ in taken) == 23
