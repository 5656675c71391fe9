"""`python -m tools.bench [--markdown] [SUBJECT...]`: measure and print one table."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Iterator, Sequence

import click
from rich.console import Console
from rich.table import Table

from tools.bench import subjects
from tools.bench.measure import Figure, compile_sources

COLUMNS = ("what", "median", "p95", "floor", "median of the floor", "ratio")


@click.command()
@click.option("--markdown", is_flag=True, help="Print a Markdown table, as in docs/performance.md.")
@click.argument("names", nargs=-1, metavar="[SUBJECT]...")
def main(markdown: bool, names: tuple[str, ...]) -> None:
    """Measure the SUBJECTs (default: all) against their floors. The ratio counts; times depend on the machine."""
    known = [module.name for module in pkgutil.iter_modules(subjects.__path__)]
    if unknown := set(names) - set(known):
        raise click.UsageError(f"unknown subject {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    rows = [row_of(figure) for figure in take_figures([name for name in known if not names or name in names])]
    if markdown:
        click.echo(format_markdown(rows))
    else:
        print_table(rows)


def take_figures(names: Sequence[str]) -> Iterator[Figure]:
    """Measure one subject after the other, saying which."""
    compile_sources()
    for name in names:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        click.echo(f"measuring {name} on {os.cpu_count()} processors, load {load} ...", err=True)
        yield from importlib.import_module(f"{subjects.__name__}.{name}").measure()


def row_of(figure: Figure) -> tuple[str, ...]:
    """Write a figure as the cells of its row."""
    ours = (figure.name, f"{figure.median:.2f} {figure.unit}", f"{figure.p95:.2f} {figure.unit}")
    if not figure.floor_samples:
        return (*ours, "-", "-", "-")
    return (*ours, figure.floor_name, f"{figure.floor_median:.2f} {figure.unit}", f"{figure.ratio:.2f}")


def format_markdown(rows: Sequence[Sequence[str]]) -> str:
    """Write the rows as a Markdown table."""
    lines = [COLUMNS, ("---", "---:", "---:", "---", "---:", "---:"), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print the rows for a terminal."""
    table = Table(*COLUMNS)
    for column in (1, 2, 4, 5):
        table.columns[column].justify = "right"
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
