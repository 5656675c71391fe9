"""`lca status`: the summary of an upgrade, and its timeline on a terminal."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from crds.imagebasedupgrade import ImageBasedUpgrade

_BAR_COLUMNS = 40


@click.command(short_help="Show the state of the upgrade")
@click.option("--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), help="Default: KUBECONFIG.")
@click.option("--context", help="Context of the kubeconfig.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--timeline/--no-timeline", default=None, help="Draw stages and phases (default: on a terminal).")
@click.option("-w", "--watch", is_flag=True, help="Show every change until the stage has ended, also over reboots.")
def status(kubeconfig: Path | None, context: str | None, output: str, timeline: bool | None, watch: bool) -> int:
    """Show image, version, stage and state of the upgrade of a cluster.

    With --watch the exit code is 0 when the stage that spec.stage asks for ended well, 1 when it failed.
    """
    if watch:
        return _watch(kubeconfig, context, timeline)
    from agent.ibu.summary import summarize
    from agent.kube import Client, Kind, errors
    from crds.imagebasedupgrade import ImageBasedUpgrade

    definition = ImageBasedUpgrade.definition
    try:
        with Client.connect(kubeconfig, context) as client:
            raw = client.get(Kind(definition.group, definition.version, definition.kind), "upgrade")
    except (errors.AccessError, errors.ApiError) as error:
        click.echo(f"Unable to get IBU CR: {error}", err=True)
        return 1
    if output == "json":
        click.echo(json.dumps(raw, indent=2))
        return 0
    ibu = ImageBasedUpgrade.read(raw)
    for line in summarize(ibu):
        click.echo(line)
    if sys.stdout.isatty() if timeline is None else timeline:
        _draw_timeline(ibu)
    return 0


def _watch(kubeconfig: Path | None, context: str | None, timeline: bool | None) -> int:
    from agent.cli.following import Lost, follow_upgrade
    from agent.ibu.summary import Asked, describe_state, read_clock, tell_ending
    from agent.kube import errors

    shown, asked = "", Asked()
    try:
        for seen in follow_upgrade(kubeconfig, context):
            text = f"the API server does not answer: {seen.reason}" if isinstance(seen, Lost) else describe_state(seen)
            if text != shown:
                click.echo(f"{read_clock():%H:%M:%S}  {text}")
                shown = text
            if isinstance(seen, Lost) or not asked.admits(seen) or (ending := tell_ending(seen)) is None:
                continue
            if sys.stdout.isatty() if timeline is None else timeline:
                _draw_timeline(seen)
            return 0 if ending else 1
    except errors.AccessError as error:
        click.echo(f"Unable to get IBU CR: {error}", err=True)
    return 1


def _draw_timeline(ibu: ImageBasedUpgrade) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from agent.ibu.summary import draw_bar, format_duration, list_spans, read_clock

    spans = list_spans(ibu)
    if not spans:
        return
    now, begin = read_clock(), min(span.start for span in spans)
    ends = [span.end for span in spans]
    until = now if None in ends else max(end for end in ends if end is not None)
    table = Table(box=None, pad_edge=False, title=f"Since {begin:%Y-%m-%d %H:%M:%S} UTC", title_justify="left")
    for heading in ("Stage", "Started", "Took", ""):
        table.add_column(heading, no_wrap=True)
    for span in spans:
        offset, length = draw_bar(span, begin, until, columns=_BAR_COLUMNS)
        took = format_duration((span.end or now) - span.start)
        table.add_row(
            "  " * span.depth + span.name,
            f"{span.start:%H:%M:%S}",
            took if span.end else f"{took}, not completed",
            Text(" " * offset + "█" * length, style="green" if span.end else "yellow"),
        )
    Console().print(table)
