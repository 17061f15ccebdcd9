"""What the command prints: progress, reports, tables."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vecmod.host.folder import MediaFolder
from vecmod.host.ingest import IngestReport
from vecmod.host.stores.store import Hit

_MOST_KINDS = 8


def progress_bar(console: Console) -> Progress:
    """A bar with numbers and the time that is left."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )


def print_report(out: Console, err: Console, report: IngestReport, media: MediaFolder, count: int) -> None:
    """What became of a folder's files, each that failed by its path; ``count`` is how many the class has now."""
    untried = len(media.files) - report.stored - report.unchanged - len(report.failed)
    places = {one["id"]: one["properties"]["path"] for one in media.objects()} if report.failed else {}
    for failed in report.failed:
        err.print(f"[red]failed[/] {escape(places[failed.id])}: {escape(str(failed.error))}", soft_wrap=True)
    if report.stopped:
        err.print(f"[bold red]stopped:[/] {escape(str(report.stopped))}")
        err.print("Nothing is lost: run the same command again to go on.")
    out.print(
        f"{report.stored} stored, {report.unchanged} unchanged, {len(report.failed)} failed, {untried} not tried; "
        f"{count} in the class now"
    )
    if others := media.others.most_common():
        kinds = [f"{number} {suffix or 'without a suffix'}" for suffix, number in others]
        shown = ", ".join(kinds[:_MOST_KINDS]) + ", ..." * (len(kinds) > _MOST_KINDS)
        out.print(
            f"{media.others.total()} left alone, as the class has no field for them: {escape(shown)}", soft_wrap=True
        )


def hits_table(hits: Sequence[Hit]) -> Table:
    """Hits as a table: rank, distance, where the file is, id."""
    table = Table("#", "distance", "path", "id")
    for rank, hit in enumerate(hits, start=1):
        table.add_row(str(rank), f"{hit.distance:.4f}", escape(str(hit.properties.get("path", ""))), hit.id)
    return table
