"""The whole examination, part by part."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from vecmod.doctor.finding import Environ, Finding, Level
from vecmod.doctor.host_side import host_side
from vecmod.doctor.installed import installed


class Part(NamedTuple):
    """A part of the examination; its findings come as they are made."""

    title: str
    findings: Callable[[], Iterator[Finding]]


def parts(environ: Environ) -> list[Part]:
    """What is examined, in order, with these variables."""
    return [
        Part("Installed", installed),
        Part("Services that would run here", partial(_services, environ)),
        Part("Module host (vecmod insert, search, your program)", partial(host_side, environ)),
    ]


def _services(environ: Environ) -> Iterator[Finding]:
    try:
        from vecmod.doctor.service_side import service_side  # noqa: PLC0415 -- an optional extra
    except ModuleNotFoundError as error:
        library = str(error.name).partition(".")[0]
        yield Finding(Level.NOTE, "services", f"need {library}: pip install 'vecmod[serve,onnx]'")
        return
    yield from service_side(environ)
