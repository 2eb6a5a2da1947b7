"""The README keeps its word: commands, exit codes and examples are those of the code."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from pathlib import Path

import pytest

import megafs_video
from megafs_video import errors

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def exit_code_table() -> str:
    """The README's table of exit codes, from errors.py."""
    rows = [
        "| code | error | meaning |",
        "|---|---|---|",
        "| 0 | | Done. |",
        "| 1 | | A bug in this program: please report it with its traceback. |",
        "| 2 | | The command line was not understood. |",
    ]
    tree = {
        found
        for _, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, errors.MegafsError) and found is not errors.MegafsError
    }
    for found in sorted(tree, key=lambda error: error.exit_code):
        meaning = (inspect.getdoc(found) or "").partition("\n")[0]
        rows.append(f"| {found.exit_code} | `{found.__name__}` | {meaning.replace('``', '`')} |")
    return "\n".join(rows)


def code_blocks(language: str) -> list[str]:
    """The README's fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_exit_codes_are_those_of_the_errors() -> None:
    assert exit_code_table() in README


def test_no_two_errors_share_an_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", exit_code_table(), flags=re.MULTILINE)
    assert len(codes) == len(set(codes))


def test_the_test_command_is_what_ci_runs() -> None:
    steps = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    command = steps[-1]
    assert command.endswith("pytest")
    assert [command] in [block.splitlines() for block in code_blocks("sh")]


def test_ci_stops_at_the_first_failure() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text()
    assert "set -euo pipefail" in script
    for check in ("ruff format --check", "ruff check", "mypy", "pytest"):
        assert check in script.splitlines()[-1]


def test_the_first_command_names_files_of_the_repository() -> None:
    command = code_blocks("sh")[0].strip()
    source, target, _ = shlex.split(command)[-3:]
    assert (REPOSITORY / source).is_file()
    assert (REPOSITORY / target).is_file()


@pytest.mark.parametrize("block", code_blocks("python"))
def test_examples_use_public_names_only(block: str) -> None:
    taken = [
        alias.name
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.ImportFrom) and node.module == "megafs_video"
        for alias in node.names
    ]
    assert taken
    assert set(taken) <= set(megafs_video.__all__)
