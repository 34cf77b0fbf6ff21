"""Peers are measured at their best, and not for an hour in a precision that is hopeless."""

import pytest
import torch

from benchmarks import peers
from benchmarks.against_listing import Bench


@pytest.mark.parametrize(("resolved", "tried"), [("32-true", {None}), ("bf16-mixed", {None, torch.bfloat16})])
def test_best_of_a_peer_tries_bf16_where_the_processor_is_fast_in_it(resolved: str, tried: set, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(peers, "resolve_precision", lambda *_: (resolved, "measured"))
    monkeypatch.setattr(peers, "seconds", lambda run, _: {None: 2.0, torch.bfloat16: 1.0}[run.args[0]])
    seen: list[torch.dtype | None] = []
    name, run = peers._best(lambda dtype: seen.append(dtype), Bench(torch.device("cpu"), 1, None, 1, 1, 1))
    assert set(seen) == tried
    assert name == ("bfloat16" if torch.bfloat16 in tried else "float32")
    seen.clear()
    run()
    assert seen == [peers.PRECISIONS[name]]
