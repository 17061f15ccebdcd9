"""The commands ``vecmod record`` and ``vecmod replay``."""

import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Column, Table

from vecmod.replay.compare import Item
from vecmod.replay.record import RecordingProxy
from vecmod.replay.recording import Recording
from vecmod.replay.replay_errors import ReplayError
from vecmod.replay.report import Report
from vecmod.replay.resend import Replay, Server
from vecmod.replay.upstream import Upstream

_out = Console()
_err = Console(stderr=True)
_MIB = 1 << 20
# Nobody asks for a limit here: the database's own is shorter.
_SERVICE_SECONDS = 600.0
_KEPT_CONNECTIONS = 64
# Under dot product or L2, lengths that differ by more than float32 and batching explain are another score.
_SAME_LENGTH = 0.999
_SHOWN = 5


def record(
    to: Annotated[str, typer.Option(help="URL of the service that requests are passed on to")],
    output: Annotated[Path, typer.Option(help="file that requests are appended to, *.jsonl", dir_okay=False)],
    host: Annotated[str, typer.Option(help="address to listen at; 0.0.0.0 for other machines")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen at; 0: any that is free", min=0, max=65535)] = 8090,
    limit: Annotated[int | None, typer.Option(help="requests to record; more are passed on only", min=1)] = None,
    max_body_mb: Annotated[int, typer.Option(help="larger bodies are passed on, not recorded", min=1)] = 128,
) -> None:
    """Stand before a service, pass every request on unchanged, and write the POSTs down; Ctrl-C ends it."""
    upstream = Upstream(to, _KEPT_CONNECTIONS, _SERVICE_SECONDS)
    with (
        closing(Recording(output, limit)) as recording,
        RecordingProxy((host, port), upstream, recording, max_body_mb * _MIB) as proxy,
    ):
        here = f"http://{host}:{proxy.server_address[1]}"
        _say(_err, f"recording {here} -> {upstream.url} into {escape(str(output))}")
        _say(_err, f"Let the database ask {here}; Ctrl-C ends the recording.")
        # `docker stop` and `kill` end it as Ctrl-C does.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            proxy.serve_forever()
    if proxy.too_large:
        _say(_err, f"{proxy.too_large} larger than --max-body-mb {max_body_mb} were passed on, not recorded")
    _say(_out, f"{recording.count} requests recorded in {escape(str(output))}")
    if recording.fault:
        raise ReplayError(f"{output} could not be written to the end ({recording.fault}); the rest was passed on only")


def replay(
    requests: Annotated[Path, typer.Argument(help="recording, *.jsonl", exists=True, dir_okay=False)],
    old_url: Annotated[str, typer.Argument(help="URL of the service that vectors were stored from")],
    new_url: Annotated[str, typer.Argument(help="URL of the one that is to take its place")],
    concurrency: Annotated[int, typer.Option(help="requests at once", min=1, max=1024)] = 16,
    threshold: Annotated[float, typer.Option(help="cosine that every vector must reach", min=-1, max=1)] = 0.9999,
    repeat: Annotated[int, typer.Option(help="times the recording is sent for speed; 0: only compare", min=0)] = 1,
    report_file: Annotated[Path | None, typer.Option("--json", help="write all of it here", dir_okay=False)] = None,
    timeout: Annotated[float, typer.Option(help="seconds a service may take for an answer", min=0.1)] = 60.0,
    old_token: Annotated[str | None, typer.Option(help="bearer token of the old service")] = None,
    new_token: Annotated[str | None, typer.Option(help="bearer token of the new one")] = None,
) -> None:
    """Send recorded requests to two services, compare vectors and speed; exit code 0 if it is safe to switch."""
    if report_file is not None:
        _refuse_unless_writable(report_file)
    old, new = Server(old_url, old_token, concurrency, timeout), Server(new_url, new_token, concurrency, timeout)
    with _progress() as bar:
        task = bar.add_task("", total=None)
        found = Replay(requests, old, new, concurrency, threshold, repeat).run(lambda count: bar.advance(task, count))
    _print_corrupt(found)
    _print_report(found)
    if report_file is not None:
        with _writing(report_file):
            report_file.write_text(json.dumps(found.as_json(), indent=2) + "\n", "utf-8")
    raise typer.Exit(2 if found.stopped else bool(found.objections()))


def _refuse_unless_writable(report_file: Path) -> None:
    """Hours of work must not end in a path that is none; an older report stays as it is until then."""
    is_new = not report_file.exists()
    with _writing(report_file):
        # Opening a pipe twice would end it for its reader.
        if is_new or report_file.is_file():
            report_file.open("a").close()
        if is_new:
            report_file.unlink()


@contextmanager
def _writing(report_file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReplayError(f"{report_file} cannot be written: {error.strerror}; choose another with --json") from error


def _progress() -> Progress:
    words = TextColumn("{task.completed:.0f} requests sent to both")
    return Progress(SpinnerColumn(), words, console=_err, transient=True, disable=not _err.is_terminal)


def _print_corrupt(found: Report) -> None:
    for line, reason in found.corrupt:
        _say(_err, f"[red]corrupt[/] line {line}: {escape(reason)}")
    if found.corrupt_count:
        _say(_err, f"{found.corrupt_count} corrupt lines were left out")


def _print_report(found: Report) -> None:
    _out.print(_sides(found))
    for table in (_worst(found), _unlike(found), _differences(found)):
        if table.row_count:
            _out.print(table)
    if found.compared:
        lowest, mean = found.worst[0].item.cosine, found.mean_cosine
        largest = f"largest difference of a number {found.max_difference:.3g}"
        _say(_out, f"cosine {lowest:.7f} at worst, {mean:.7f} on average; {largest}")
    for objection in found.objections():
        _say(_out, f"[bold red]not safe:[/] {escape(objection)}")
    if not found.objections():
        _say(_out, f"[bold green]safe:[/] {found.items} items reach {found.threshold:g}, no request got worse")
    if found.worst_length is not None and found.worst_length.item.length_ratio < _SAME_LENGTH:
        _say_lengths(*found.worst_length)


def _say_lengths(line: int, item: Item) -> None:
    _say(
        _out,
        f"[bold yellow]for cosine distance only:[/] lengths differ, {item.old_length:.4g} became {item.new_length:.4g} "
        f"(line {line}, {escape(item.place)}); dot product and L2 distance see that",
    )


def _say(console: Console, words: str) -> None:
    console.print(words, soft_wrap=True, highlight=False)


def _sides(found: Report) -> Table:
    table = Table("", "old", "new", title=f"{found.requests} requests, {found.items} items")
    table.add_row("requests that failed", str(found.old.failed), str(found.new.failed))
    if found.timed:
        rates = [f"{found.per_second(side):.1f}" for side in (found.old, found.new)]
        table.add_row("requests/s", *rates)
        table.add_row("failed while timed", str(found.old.timed_failed), str(found.new.timed_failed))
        low, high = found.turns
        table.add_row("times as fast", "1", f"{found.ratio:.2f} (turns: {low:.2f} to {high:.2f})")
    return table


def _worst(found: Report) -> Table:
    place = Column("item", no_wrap=True)
    table = Table("line", place, "cosine", "difference", "old length", "new length", title="worst items")
    for line, item in found.worst[:_SHOWN]:
        cells = (f"{item.cosine:.7f}", f"{item.difference:.3g}", f"{item.old_length:.5g}", f"{item.new_length:.5g}")
        table.add_row(str(line), escape(item.place), *cells, style="red" if item.cosine < found.threshold else "")
    return table


def _unlike(found: Report) -> Table:
    table = Table("line", "item", "why", title=f"items that cannot be compared ({found.unlike_count})")
    for line, item in found.unlike:
        table.add_row(str(line), escape(item.place), item.fault)
    return table


def _differences(found: Report) -> Table:
    table = Table("line", "old", "new", "words", title=f"other statuses ({found.statuses.total()})")
    for one in found.differences:
        words = "; ".join(f"{side}: {text}" for side, text in (("old", one.old_error), ("new", one.new_error)) if text)
        table.add_row(str(one.line), *(str(status or "none") for status in one[1:3]), escape(words))
    return table
