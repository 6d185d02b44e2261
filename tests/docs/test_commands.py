"""What the documents tell a reader to type is run, or there, or they say why it is not run."""

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from ragauth.command.outline import ToldCommand, read_outline
from tests.cases import for_each
from tests.docs.markdown import DOCUMENTS, README, ROOT, Block, blocks, each_document, prose

# What a reader would type; the names that stand for `sh`, or for nothing, are not used.
_TYPED = ("sh", "console")
_OTHER_NAMES = ("", "bash", "shell", "shell-session", "zsh")
_NOT_RUN = re.compile(r"not run: \S.*")
_RUN_BY = re.compile(r"run by (tests/\S+\.py)")

_WORDS = r"((?:[a-z][a-z-]*[ \n]?)+)"
_NAMED = re.compile(rf"(?:flask --app wsgi|python -m ragauth|`ragauth)[ \n]{_WORDS}")
_PROGRAM = re.compile(r"(?:\S*/)?(?:ragauth|flask --app wsgi|python -m ragauth) (.*)")
_MAKE = re.compile(r"make (.*)")
_ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
# The program's own options, and the name of a process.
_OF_THE_PROGRAM = {"--help", "--version", "--traceback"}
_NO_COMMAND = "beside"


def _faults(block: Block) -> Iterator[str]:
    """What is wrong with a block: it has no language, or its commands are held by nothing."""
    language, *how = block.info.split() or [""]
    if language in _OTHER_NAMES:
        yield f"say sh, console or what it is, not {block.info!r}"
    if language not in _TYPED:
        return
    if run := _RUN_BY.fullmatch(block.comment):
        if not (ROOT / run[1]).is_file():
            yield f"there is no {run[1]}"
    elif not (how[:1] == ["run"] or _NOT_RUN.fullmatch(block.comment)):
        for line in _typed(block.text, is_session=language == "console"):
            yield from _faults_of_command(line)


def _typed(text: str, *, is_session: bool) -> Iterator[str]:
    """The commands: the lines after `$ ` of a session, where answers stand between them."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip() and (not is_session or line.startswith("$ ")):
            yield line.removeprefix("$ ")


def _faults_of_command(line: str) -> Iterator[str]:
    words = shlex.split(line.partition(" # ")[0].partition(" > ")[0])
    command = " ".join(words[len([*takewhile(_ASSIGNMENT.match, words)]) :])
    if found := _PROGRAM.fullmatch(command):
        yield from _faults_of_ours(found[1].split())
    elif found := _MAKE.fullmatch(command):
        yield from _faults_of_make(found[1].split())
    else:
        yield f"neither run nor held nor marked as not run: {line}"


def _faults_of_ours(words: list[str]) -> Iterator[str]:
    told: ToldCommand = {"help": "", "commands": read_outline()}
    options = set(_OF_THE_PROGRAM)
    for word in words:
        if word.startswith("--"):
            if word not in options:
                yield f"there is no option {word}: {' '.join(words)}"
        elif "commands" in told:
            if word not in told["commands"]:
                yield f"there is no command {word}: {' '.join(words)}"
                return
            told = told["commands"][word]
            for each in told.get("parameters", ()):
                options |= set(each.get("options", ()))


def _faults_of_make(words: list[str]) -> Iterator[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, is_setting, _ = word.partition("=")
        pattern = rf"\$[({{]{name}\b|\b{name} \?=" if is_setting else rf"^{name}:"
        if not re.search(pattern, makefile, re.MULTILINE):
            yield f"the Makefile has no {name}"


class TestBlocks:
    @each_document
    def test_each_is_run_or_is_there_or_is_marked_as_not_run(self, document: Path) -> None:
        assert [fault for block in blocks(document) for fault in _faults(block)] == []

    def test_what_is_marked_as_run_is_in_the_documents_that_the_walks_read(self) -> None:
        walked = {README}
        marked = {path for path in DOCUMENTS for each in blocks(path) if "sh run" in each.info}
        assert marked == walked

    @for_each(
        ("info", "comment", "text"),
        [
            ("", "", "ragauth serve\n"),
            ("shell", "", "ragauth serve\n"),
            ("sh", "", "ragauth serv\n"),
            ("sh", "", "ragauth accounts list --serch otter\n"),
            ("sh", "", "ragauth accounts \\\n  lst\n"),
            ("sh", "", "make sope\n"),
            ("sh", "", "make soak MINUTE=3\n"),
            ("sh", "", "curl -s http://127.0.0.1:8000\n"),
            ("sh", "not run", "curl -s http://127.0.0.1:8000\n"),
            ("sh", "run by tests/docs/test_that_is_gone.py", "curl -s http://127.0.0.1:8000\n"),
            ("console", "", "$ ragauth acounts list\nid  email\n"),
        ],
    )
    def test_one_that_is_held_by_nothing_is_found(self, info: str, comment: str, text: str) -> None:
        assert list(_faults(Block(comment, info, text)))


class TestNames:
    @each_document
    def test_each_command_that_the_prose_names_is_there(self, document: Path) -> None:
        named = _NAMED.findall(prose(document))
        faults = [fault for words in named for fault in _faults_of_ours(_of_a_command(words))]
        assert faults == []

    def test_one_that_is_not_there_is_found(self) -> None:
        assert list(_faults_of_ours(_of_a_command("acounts list")))


def _of_a_command(words: str) -> list[str]:
    """The words that may be a command's, for the sentence goes on after it."""
    first = words.split()
    return [] if first[:1] == [_NO_COMMAND] else first
