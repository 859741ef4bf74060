"""The examples in docstrings say what is true."""

import doctest
import importlib

import pytest

from tests.helpers import sources
from tests.test_architecture import module

MODULES = sorted(name for name in map(module, sources()) if "plugins" not in name and "__main__" not in name)


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert ended.failed == 0, capsys.readouterr().out
