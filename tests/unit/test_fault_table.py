"""The table of faults from a report of the tests."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from tools.fault_table import format_table, read_cells

REPORT = """<testsuites><testsuite>
<testcase name="test_operator_killed_in_prep_completes_it[prep/wait_healthy/before]"/>
<testcase name="test_killed_program_is_started_again[step set_hostname ended]"/>
<testcase name="test_node_that_loses_power_in_the_middle_is_configured_at_the_next_boot[set_hostname]"/>
<testcase name="test_upgrade_survives[kill-agent-at pre-pivot/reboot]">
<properties><property name="end" value="rolled back"/></properties></testcase>
<testcase name="test_upgrade_survives[power-loss-at pre-pivot/reboot]"><failure message="x"/></testcase>
<testcase name="test_upgrade_survives[power-loss-at post-pivot/a]"/>
<testcase name="test_upgrade_survives[power-loss-at post-pivot/b]"/>
<testcase name="test_of_something_else"/>
</testsuite></testsuites>"""


def test_each_point_has_its_row_and_each_fault_its_column() -> None:
    assert list(format_table(read_cells(ET.fromstring(REPORT).iter("testcase"))))[2:] == [
        "| prep | `wait_healthy` | same end |  |  |",
        "| configure-node | `set_hostname` |  | same end | same end |",
        "| pre-pivot | `reboot` |  | rolled back | FAILED |",
        "| post-pivot | `a`, `b` |  |  | same end |",
    ]
