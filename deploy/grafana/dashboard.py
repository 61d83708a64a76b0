"""The Grafana dashboard as code: what waits now, then the four stations of the loop, a row each.

Run it to write `ferrule.json` beside it; with `--check` it only says whether that file is current. It shows
no patient: the metrics have no label that could hold one.
"""

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DataSourceRef, GridPos

WRITTEN = Path(__file__).with_name("ferrule.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
BELOW = common.LegendPlacement.BOTTOM
COLUMNS = 24


@dataclass(frozen=True)
class Panel:
    """One picture: what it answers, Grafana's unit, and PromQL by legend; `single` shows one number."""

    title: str
    unit: str
    queries: dict[str, str]
    single: bool = False


def quantile(share: float, histogram: str) -> str:
    """The upper end of this share of the observations of the last five minutes."""
    return f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket[5m])))"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        Panel(
            "Critical alert waiting longest for an answer",
            "s",
            {"critical": 'max(ferrule_alert_unanswered_oldest_seconds{severity="critical"})'},
            single=True,
        ),
        Panel(
            "Message waiting longest to be judged",
            "s",
            {"": "max(ferrule_inbound_oldest_seconds)"},
            single=True,
        ),
        Panel(
            "Delivery waiting longest to be sent",
            "s",
            {"": "max(ferrule_outbox_oldest_seconds)"},
            single=True,
        ),
        Panel("Alerts with nobody to go to", "short", {"": "max(ferrule_unaddressed_alerts)"}, single=True),
        Panel("Follow-ups overdue", "short", {"": "max(ferrule_follow_ups_overdue)"}, single=True),
        Panel(
            "Rule sets in use",
            "short",
            {"": "count(count by (fingerprint) (ferrule_ruleset_info))"},
            single=True,
        ),
    ),
    "Received": (
        Panel(
            "Messages by source and format",
            "cps",
            {"{{source}} {{format}}": "sum by (source, format) (rate(ferrule_messages_received_total[5m]))"},
        ),
        Panel(
            "Set aside, by source and reason",
            "cps",
            {
                "{{source}} {{reason}}": "sum by (source, reason) "
                "(rate(ferrule_messages_quarantined_total[5m]))"
            },
        ),
        Panel(
            "Waiting in quarantine, by source and reason",
            "short",
            {"{{source}} {{reason}}": "sum by (source, reason) (ferrule_quarantine_waiting)"},
        ),
        Panel(
            "Oldest in quarantine",
            "s",
            {"{{source}} {{reason}}": "max by (source, reason) (ferrule_quarantine_oldest_seconds)"},
        ),
        Panel(
            "Codes and units that nothing maps",
            "short",
            {"{{source}}, ours: {{ours}}": "max by (source, ours) (ferrule_unmapped_codes)"},
        ),
        Panel(
            "Values that look like another unit",
            "short",
            {
                "{{source}} {{analyte}}: {{unit}} like {{other}}": (
                    "max by (source, analyte, unit, other) (ferrule_unit_suspect)"
                )
            },
        ),
        Panel(
            "Results that could not be used",
            "cps",
            {"{{outcome}}": 'sum by (outcome) (rate(ferrule_results_total{outcome!="usable"}[5m]))'},
        ),
        Panel(
            "Time since each source's last message",
            "s",
            {"{{source}}": "time() - max by (source) (ferrule_source_last_message_timestamp_seconds)"},
        ),
    ),
    "Judged": (
        Panel(
            "Waiting to be judged",
            "short",
            {"unfinished messages": "max(ferrule_inbound_unfinished)"},
        ),
        Panel(
            "Time to judge one patient",
            "s",
            {
                "half": quantile(0.5, "ferrule_evaluate_seconds"),
                "99 of 100": quantile(0.99, "ferrule_evaluate_seconds"),
            },
        ),
        Panel(
            "Findings by rule",
            "cps",
            {"{{rule}}": "sum by (rule) (rate(ferrule_findings_total[5m]))"},
        ),
        Panel(
            "Share of judgings left undetermined, by rule",
            "percentunit",
            {
                "{{rule}}": 'sum by (rule) (rate(ferrule_evaluations_total{truth="unknown"}[1h]))'
                " / sum by (rule) (rate(ferrule_evaluations_total[1h]))"
            },
        ),
    ),
    "Told": (
        Panel(
            "From received to told",
            "s",
            {
                "half": quantile(0.5, "ferrule_received_to_told_seconds"),
                "99 of 100": quantile(0.99, "ferrule_received_to_told_seconds"),
            },
        ),
        Panel(
            "Deliveries by channel and outcome",
            "cps",
            {"{{channel}} {{outcome}}": "sum by (channel, outcome) (rate(ferrule_deliveries_total[5m]))"},
        ),
        Panel("Waiting to be sent", "short", {"outbox": "max(ferrule_outbox_pending)"}),
        Panel(
            "Raised and withdrawn in an hour",
            "short",
            {
                "raised, {{severity}}": "sum by (severity) (increase(ferrule_alerts_raised_total[1h]))",
                "withdrawn": "sum(increase(ferrule_alerts_withdrawn_total[1h]))",
            },
        ),
    ),
    "Answered": (
        Panel(
            "Open alerts by severity and state",
            "short",
            {"{{severity}} {{state}}": "sum by (severity, state) (ferrule_alerts_open)"},
        ),
        Panel(
            "Oldest without an answer, by severity",
            "s",
            {"{{severity}}": "max by (severity) (ferrule_alert_unanswered_oldest_seconds)"},
        ),
        Panel(
            "Answers in a day",
            "short",
            {"{{answer}}": "sum by (answer) (increase(ferrule_alerts_answered_total[1d]))"},
        ),
        Panel(
            "Rules most often answered with: rule is wrong, or not relevant (7 days)",
            "short",
            {
                "{{rule}}": "topk(10, sum by (rule) (increase("
                'ferrule_alerts_answered_total{answer=~"rule-wrong|not-relevant"}[7d])))'
            },
        ),
    ),
}


def expressions() -> list[str]:
    """Every PromQL expression of the dashboard."""
    return [query for panels in ROWS.values() for panel in panels for query in panel.queries.values()]


def _empty(single: bool) -> stat.Panel | timeseries.Panel:
    if single:
        return stat.Panel().graph_mode(common.BigValueGraphMode.AREA)
    return timeseries.Panel().legend(common_builders.VizLegendOptions().show_legend(True).placement(BELOW))


def _drawn(panel: Panel, number: int, place: GridPos) -> stat.Panel | timeseries.Panel:
    drawn = _empty(panel.single)
    drawn.id(number).title(panel.title).unit(panel.unit).datasource(SOURCE).grid_pos(place)
    for letter, (legend, expression) in zip(ascii_uppercase, panel.queries.items(), strict=False):
        query = prometheus.Dataquery().expr(expression).legend_format(legend or "__auto").ref_id(letter)
        drawn.with_target(query)
    return drawn


def build() -> str:
    """The dashboard's JSON, the same at every run."""
    board = (
        dashboard.Dashboard("Ferrule")
        .uid("ferrule")
        .description("Received, judged, told, answered. Written by dashboard.py; change that, not this.")
        .tags(["ferrule"])
        .refresh("30s")
        .time("now-6h", "now")
        .editable()
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    )
    top, numbers = 0, itertools.count(1)
    for title, panels in ROWS.items():
        board.with_row(dashboard.Row(title).id(next(numbers)).grid_pos(GridPos(h=1, w=COLUMNS, x=0, y=top)))
        height, width = (4 if panels[0].single else 8), COLUMNS // len(panels)
        for column, panel in enumerate(panels):
            place = GridPos(h=height, w=width, x=column * width, y=top + 1)
            board.with_panel(_drawn(panel, next(numbers), place))
        top += 1 + height
    return JSONEncoder(sort_keys=True, indent=2).encode(board.build()) + "\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` compare it; the answer is the exit code."""
    current = build()
    if arguments == ["--check"]:
        if WRITTEN.exists() and WRITTEN.read_text(encoding="utf-8") == current:
            return 0
        sys.stderr.write("deploy/grafana/ferrule.json is not what dashboard.py builds: run make pages\n")
        return 1
    WRITTEN.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
