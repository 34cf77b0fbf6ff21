"""Shares of operations: of what is multiplied, and of what is not."""

import pytest
import torch

from benchmarks import shares


def test_shares_add_up_and_name_products():
    found = shares.shares(lambda: (torch.ones(64, 64) @ torch.ones(64, 64)).exp())
    assert sum(found.values()) == pytest.approx(1)
    assert found["aten::mm"] > 0
    assert found["aten::exp"] > 0


def test_shares_line_says_what_is_left_without_everything_else():
    found = {"aten::mm": 0.5, shares.ATTENTION: 0.3, "aten::gelu": 0.2}
    assert shares.line("work", found) == ["work", "50 %", "30 %", "gelu 20.0", "1.25x"]
