"""The documentation says nothing that is not so: links lead somewhere, commands exist."""

import argparse
import ast
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from commonshub.auth.commands import parser as auth_parser
from commonshub.hub.cli import (
    AUTH_GROUPS,
    DICTIONARY_COMMANDS,
    INDEX_COMMANDS,
    QUERY_COMMANDS,
    common_options,
    parser,
    user_add_parser,
)
from commonshub.index.commands import parser as index_parser
from commonshub.query.commands import parser as query_parser
from commonshub.submission.commands import parser as dictionary_parser

ROOT = Path(__file__).parents[2]
COMMAND_PAGE = ROOT / "docs" / "reference" / "commands.md"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for language, body in BLOCK.findall(page.read_text()) if language in languages]


COMMANDS = [
    pytest.param(line[2:], id=f"{page.relative_to(ROOT)}: {line[2:]}")
    for page in PAGES
    for block in blocks(page, "console")
    for line in block.splitlines()
    if line.startswith("$ ")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_of_the_tree(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def test_the_first_page_leads_to_every_page_that_tells_how_to_or_why() -> None:
    linked = {ROOT / link for link in LINK.findall((ROOT / "README.md").read_text())}
    told = {page for name in ("tutorial", "how-to", "explanation") for page in (ROOT / "docs" / name).glob("*.md")}
    assert told - linked == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_the_pages_is_python(page: Path) -> None:
    for block in blocks(page, "python"):
        ast.parse(block)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_pages_exists_with_its_options(command: str) -> None:
    words = [word for word in shlex.split(command.split(" > ")[0]) if not re.fullmatch(r"[A-Z_]+=.*", word)]
    program = words[0].removeprefix(".venv/bin/")
    if program == "commonshub":
        options = parser().parse_args(words[1:])
        if words[1:3] == ["user", "add"]:
            user_add_parser().parse_args(words[3:])
        elif words[1] in AUTH_GROUPS:
            _, rest = common_options().parse_known_args(options.words)
            auth_parser().parse_args([words[1], *rest])
        elif words[1] == "index":
            _, rest = common_options().parse_known_args(options.words)
            index_parser().parse_args([words[2], *rest])
        elif words[1] == "dictionary" and words[2] in DICTIONARY_COMMANDS:
            _, rest = common_options().parse_known_args(options.words)
            dictionary_parser().parse_args([words[2], *rest])
        elif words[1] == "query":
            _, rest = common_options().parse_known_args(options.words)
            query_parser().parse_args([words[2], *rest])
    elif program == "python":
        module = words[words.index("-m") + 1].split(".")
        assert list(ROOT.glob(f"*/{'/'.join(module)}/__main__.py")), command
    else:
        assert os.access(ROOT / program, os.X_OK), command


def leaves(command: argparse.ArgumentParser, *words: str) -> Iterator[str]:
    """The commands of a parser that have no commands of their own."""
    below = [each for each in command._actions if isinstance(each, argparse._SubParsersAction)]
    for each in below:
        for name, chosen in each.choices.items():
            yield from leaves(chosen, *words, name)
    if not below:
        yield " ".join(words)


def test_the_command_line_knows_every_command_of_the_index() -> None:
    assert set(INDEX_COMMANDS) == {leaf.split()[0] for leaf in leaves(index_parser())}


def test_the_command_line_knows_every_command_of_the_dictionary() -> None:
    assert set(DICTIONARY_COMMANDS) == set(leaves(dictionary_parser()))


def test_the_command_line_knows_every_command_on_queries() -> None:
    assert set(QUERY_COMMANDS) == {leaf.split()[0] for leaf in leaves(query_parser())}


def test_the_command_line_reference_lists_every_command_and_no_other() -> None:
    rows = [line.split("|")[1] for line in COMMAND_PAGE.read_text().splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`([a-z][a-z-]*(?: [a-z][a-z-]*)*)", row)}
    passed_on = {*AUTH_GROUPS, *(f"index {name}" for name in INDEX_COMMANDS)}
    passed_on |= {f"query {name}" for name in QUERY_COMMANDS}
    of_index = {f"index {leaf}" for leaf in leaves(index_parser())}
    of_dictionary = {f"dictionary {leaf}" for leaf in leaves(dictionary_parser())}
    of_query = {f"query {leaf}" for leaf in leaves(query_parser())}
    exist = ({*leaves(parser()), *leaves(auth_parser())} - passed_on) | {"audit"} | of_index | of_dictionary | of_query
    assert sorted(exist ^ listed) == []
