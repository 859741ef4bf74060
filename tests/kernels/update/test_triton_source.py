"""The text of generated updates. That they compute the definition is shown in whole trainings."""

import re

from packtrain.kernels.equations.optimizers import rule_of
from packtrain.kernels.update import llvm_source, triton_source

SECRET = rule_of("custom", ["velvet = quartz*velvet + g", "p = p - lr*velvet/(velvet^2 + ochre)"])


def test_no_name_of_the_users_is_in_the_source() -> None:
    for source in (triton_source.update_source(SECRET), llvm_source.update_source(SECRET, "float")):
        assert not re.search("velvet|quartz|ochre", source)


def test_a_rule_without_states_returns_none() -> None:
    assert "return v4, ()" in triton_source.update_source(rule_of("custom", ["p = p - lr*g"]))
