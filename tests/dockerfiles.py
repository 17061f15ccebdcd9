"""Dockerfiles as a build reads them: stages, environment, commands, and the files that reach them."""

import fnmatch
import os
import re
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
IMG2VEC, CLIP, BIND = (ROOT / name / "Dockerfile" for name in ("img2vec-neural", "multi2vec-clip", "multi2vec-bind"))
EXPLORE = ROOT / "deploy/explore.Dockerfile"
SERVICES = {path.parent.name: path for path in (IMG2VEC, CLIP, BIND)}
ALL = {**SERVICES, "explore": EXPLORE}
_NAME = re.compile(r"\$(?:\{(\w+)(?::-(?P<otherwise>.*))?\}|(\w+))")


class Step(NamedTuple):
    """One instruction: its word, and what follows in one line."""

    word: str
    rest: str


class Stage(NamedTuple):
    """``name`` is empty where none is given; ``base`` is another stage's, or an image."""

    name: str
    base: str
    steps: list[Step]


def stages(path: Path) -> list[Stage]:
    """In order; what stands before the first ``FROM`` is the first, without a base."""
    text = re.sub(r"^ *#.*\n", "", path.read_text(), flags=re.MULTILINE)
    found = [Stage("", "", [])]
    for line in re.sub(r" *\\\n *", " ", text).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(name, base, []))
        elif word:
            found[-1].steps.append(Step(word, rest.strip()))
    return found


def stage(path: Path, name: str = "") -> Stage:
    """The one of that name; without one the last, which is what is built if nothing is asked for."""
    return next(one for one in reversed(stages(path)) if one.name == name)


def steps(path: Path, name: str = "") -> list[Step]:
    """Of a stage and of those that it stands on, in order."""
    here = stage(path, name)
    below = {one.name for one in stages(path) if one.name}
    return [*(steps(path, here.base) if here.base in below else []), *here.steps]


def the_last(path: Path, word: str, name: str = "") -> str:
    """What the last instruction of a kind says in an image."""
    return [step.rest for step in steps(path, name) if step.word == word][-1]


def build_args(path: Path) -> set[str]:
    """The names that a build may be given."""
    return {step.rest.partition("=")[0] for one in stages(path) for step in one.steps if step.word == "ARG"}


def variables(path: Path, name: str, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Build arguments of a stage, and its environment, which is all that its image keeps of them."""
    outside = {step.rest.partition("=")[0]: step.rest.partition("=")[2] for step in stages(path)[0].steps}
    args: dict[str, str] = {}
    environment: dict[str, str] = {}
    for word, rest in steps(path, name):
        if word == "ARG":
            arg, _, default = rest.partition("=")
            args[arg] = given.get(arg, default or outside.get(arg, ""))
        elif word == "ENV":
            pairs = (one.split("=", 1) for one in shlex.split(rest))
            known = {**args, **environment}
            environment |= {key: fill(value, known) for key, value in pairs}
    return args, environment


def fill(text: str, known: Mapping[str, str]) -> str:
    """``$NAME``, ``${NAME}`` and ``${NAME:-otherwise}``, one in the other if wanted; unknown ``$NAME`` stays."""
    match = _NAME.search(text)
    if match is None:
        return text
    braced, otherwise, plain = match.groups()
    value = (known.get(braced, "") or fill(otherwise or "", known)) if braced else known.get(plain, match[0])
    return text[: match.start()] + value + fill(text[match.end() :], known)


def scripts(path: Path, name: str) -> list[str]:
    """What the ``RUN`` of one stage run."""
    return [step.rest for step in stage(path, name).steps if step.word == "RUN"]


def copy_context(to: Path) -> Path:
    """What ``.dockerignore`` lets through of this repository."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not ignored(here / name, rules)]
        for name in files:
            if not ignored(here / name, rules):
                (to / here).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / here / name, to / here / name)
    return to


def ignored(path: Path, rules: list[str]) -> bool:
    """The last rule that meets a path, or a folder that it is in, decides."""
    left_out = False
    places = [one.as_posix() for one in (path, *path.parents) if one.parts]
    for rule in rules:
        pattern = rule.removeprefix("!")
        forms = (pattern, pattern.removeprefix("**/"))
        if any(
            fnmatch.fnmatchcase(place, form) and _as_deep(place, form, pattern) for place in places for form in forms
        ):
            left_out = not rule.startswith("!")
    return left_out


def _as_deep(place: str, form: str, pattern: str) -> bool:
    """A star does not cross a slash; two stars do."""
    return pattern.startswith("**/") or place.count("/") == form.count("/")
