"""Each policy's formula against plain loops over positions and codes in float64, step by step along its own decode."""

import math

import pytest
import torch

from maskgit_lab.core.decode_noise import DecodeNoise
from maskgit_lab.core.decoding import decode, predictor_of
from maskgit_lab.core.policies.confidence import Confidence
from maskgit_lab.core.policies.entropy import Entropy
from maskgit_lab.core.policies.entropy_bound import EntropyBound
from maskgit_lab.core.policies.guidance import ContextGuidance
from maskgit_lab.core.policies.halton import Halton, halton_order
from maskgit_lab.core.policies.moment import Moment
from maskgit_lab.core.policies.path_planning import PathPlanning
from maskgit_lab.core.policies.remasking import Remasking
from maskgit_lab.core.policies.time_travel import TimeTravel
from maskgit_lab.core.policies.vectors import Vectors, read_at
from maskgit_lab.core.randomness import image_generators
from maskgit_lab.core.schedules import Arccos, Linear
from tests.core.test_policies import BATCH, N, V, decoded, example, predict, settings_of
from tests.support.policies import POLICIES

T, ROW = 6, 4  # steps, and the image that is looked at


def rows_of(tokens):
    """Return p of every code at every position, float64 lists, the mask token ruled out."""
    return [[math.exp(x) for x in row] for row in predict(tokens[None])[0, :, :V].double().log_softmax(-1).tolist()]


def noise(passes=T):
    return DecodeNoise(image_generators(0, "d", [ROW]), passes=passes, tokens=torch.zeros(1, N))


def gumbel(t):
    return noise().gumbel(t)[0].double().tolist()


def uniform(stream, t):
    return noise().uniform(stream, t)[0].double().tolist()


def walked(policy, **changes):
    """Yield (t, tokens shown, hidden before, tokens chosen, hidden after) of every step of one image's decode."""
    trace = decoded(policy, rows=slice(ROW, ROW + 1), num_steps=T, schedule=Linear(), **changes)
    tokens, mask = (grid[ROW] for grid in example())
    shown, hidden = tokens.masked_fill(mask, V), mask
    for t in range(T):
        chosen, after = trace.step_tokens[t, 0], trace.step_masks[t, 0]
        yield t, shown, hidden, chosen, after
        shown, hidden = chosen.masked_fill(after, V), after


def lowest(scores, count):
    """Return the positions of the `count` least scores."""
    return set(sorted(scores, key=lambda i: scores[i])[:count])


def places(mask):
    return set(mask.nonzero().flatten().tolist())


def planned(t):
    return math.floor(int(example()[1][ROW].sum()) * (1 - (t + 1) / T) + 1e-9)


SCORES = {
    "confidence": lambda t, i, p: math.log(max(p)) + 4.5 * (1 - (t + 1) / T) * gumbel(t)[i],
    "random": lambda t, i, p: uniform("random order", t)[i],
    "margin": lambda t, i, p: sorted(p)[-1] - sorted(p)[-2],
    "entropy": lambda t, i, p: sum(x * math.log(x) for x in p),
}


@pytest.mark.parametrize("name", SCORES)
def test_score_equals_its_formula(name):
    for t, shown, hidden, chosen, after in walked(POLICIES[name]):
        p = rows_of(shown)
        scores = {i: SCORES[name](t, i, p[i]) for i in places(hidden)}
        assert places(after) == lowest(scores, planned(t))
        assert all(int(chosen[i]) == p[i].index(max(p[i])) for i in places(hidden))


def test_halton_goes_along_the_sequence_from_a_random_place_and_round():
    cells = []
    for number in range(1, 2000):
        x, y = (sum(d / b ** (k + 1) for k, d in enumerate(digits(number, b))) for b in (2, 3))
        cell = int(x * 6) * 6 + int(y * 6)
        cells += [] if cell in cells else [cell]
    assert halton_order(N).tolist() == cells
    mask = example()[1][ROW]
    order = [cell for cell in cells if mask[cell]]
    start = int(uniform("halton", 0)[0] * len(order))
    order = order[start:] + order[:start]
    for t, _, _, _, after in walked(Halton()):
        assert places(after) == set(order[len(order) - planned(t) :])


def digits(number, base):
    while number:
        yield number % base
        number //= base


def test_halton_with_arccos_shows_what_the_paper_says_to_one_token():
    n0 = int(example()[1][ROW].sum())
    trace = decoded(Halton(), rows=slice(ROW, ROW + 1), num_steps=T, schedule=Arccos())
    for t in range(T):
        visible = n0 - int(trace.step_masks[t].sum())
        assert 0 <= visible - math.floor(n0 * 2 / math.pi * math.asin((t + 1) / T) + 1e-9) <= 1


def test_halton_needs_a_square_grid():
    with pytest.raises(ValueError, match="Halton needs a square token grid, got 24 tokens"):
        halton_order(24)


@pytest.mark.parametrize("epsilon", [0.0, 1.5, 20.0, 1e6])
def test_entropy_bound_reveals_the_largest_prefix_within_the_bound(epsilon):
    for t, shown, hidden, _, after in walked(EntropyBound(epsilon=epsilon)):
        p = rows_of(shown)
        entropy = {i: -sum(x * math.log(x) for x in p[i]) for i in places(hidden)}
        order = sorted(entropy, key=lambda i: entropy[i])
        size = max((k for k in range(1, len(order) + 1) if sum(entropy[i] for i in order[: k - 1]) <= epsilon), default=0)
        assert places(after) == (set() if t == T - 1 else set(order[size:]))


def test_entropy_bound_stops_asking_when_nothing_is_hidden():
    calls: list[int] = []

    def counted(tokens):
        calls.append(1)
        return predict(tokens)

    trace = decoded(EntropyBound(epsilon=1e6), network=counted, num_steps=50)
    assert len(calls) == 1
    assert len(trace.step_tokens) == 50


def test_moment_chooses_positions_by_the_sum_of_powers_and_tokens_from_the_power():
    for t, shown, hidden, chosen, after in walked(Moment()):
        p, kappa = rows_of(shown), 4.5 * (1 - (t + 1) / T)
        if kappa < 1e-12:
            assert all(int(chosen[i]) == p[i].index(max(p[i])) for i in places(hidden))
            continue
        beta = 1 + 1 / kappa
        powers = {i: [x**beta for x in p[i]] for i in places(hidden)}
        assert places(after) == lowest({i: math.log(sum(row)) + gumbel(t)[i] for i, row in powers.items()}, planned(t))
        assert all(int(chosen[i]) == inverse_cdf(row, uniform("tokens", t)[i]) for i, row in powers.items())


def inverse_cdf(weights, u):
    total, reached = sum(weights), 0.0
    for code, weight in enumerate(weights):
        reached += weight
        if reached > u * total:
            return code
    raise AssertionError


def test_moment_without_noise_is_the_confidence_order():
    fills = [decoded(policy, choice_temperature=0.0) for policy in (Moment(), Confidence())]
    assert torch.equal(fills[0].step_tokens, fills[1].step_tokens)
    assert torch.equal(fills[0].step_masks, fills[1].step_masks)


@pytest.mark.parametrize("eta", [0.5, 1.0, 3.0])
def test_path_planning_ranks_the_whole_hole_and_weighs_visible_tokens_by_eta(eta):
    hole = places(example()[1][ROW])
    hidden_again = 0
    for t, shown, hidden, chosen, after in walked(PathPlanning(eta=eta)):
        p = rows_of(shown)
        scores = {i: math.log(p[i][int(chosen[i])]) * (1 if hidden[i] else eta) for i in hole}
        assert places(after) == lowest(scores, planned(t))
        hidden_again += len(places(after) - places(hidden))
    assert hidden_again > 0


def test_path_planning_at_eta_0_is_the_confidence_order_without_noise():
    fills = [decoded(PathPlanning(eta=0.0), temperature=1.0), decoded(Confidence(), temperature=1.0, choice_temperature=0.0)]
    assert torch.equal(fills[0].step_tokens, fills[1].step_tokens)
    assert torch.equal(fills[0].step_masks, fills[1].step_masks)


@pytest.mark.parametrize("strategy", ["cap", "rescale", "conf", "loop"])
def test_remasking_hides_with_sigma_and_reveals_at_random(strategy):
    policy = Remasking(strategy=strategy, eta=0.7, loop_from=0.4, loop_to=0.7)
    n0, hole = int(example()[1][ROW].sum()), places(example()[1][ROW])
    when: dict[int, float] = {}  # p of each visible token when it was revealed
    hidden_again = 0
    for t, shown, hidden, chosen, after in walked(policy):
        gamma_t, gamma_s = (1 - policy.clock(r / T) for r in (t, t + 1))
        count = math.floor(n0 * gamma_s + 1e-9)
        largest = min(1.0, gamma_s / (1 - gamma_t)) if gamma_t < 1 else 1.0
        visible = hole - places(hidden)
        weight = {i: 1 / when[i] for i in visible}
        sigma = {
            i: {"cap": min(largest, 0.7), "rescale": 0.7 * largest, "conf": largest * weight[i] / sum(weight.values()),
                "loop": min(largest, 0.7) if 0.4 < (t + 1) / T <= 0.7 else 0.0}[strategy]
            for i in visible
        }  # fmt: skip
        draw, order = uniform("remasking", t), uniform("random order", t)
        drawn = sorted((i for i in visible if draw[i] < sigma[i]), key=lambda i: draw[i] - sigma[i])[:count]
        stay = sorted(places(hidden), key=lambda i: order[i])[: count - len(drawn)]
        assert places(after) == {*drawn, *stay}
        hidden_again += len(drawn)
        p = rows_of(shown)
        when |= {i: p[i][int(chosen[i])] for i in places(hidden) - places(after)}
    assert hidden_again > 0 or strategy == "conf"  # whose probabilities sum to less than one token a step


def test_remasking_at_eta_0_is_the_random_order():
    for strategy in ("cap", "rescale", "loop"):
        kept = decoded(Remasking(strategy=strategy, eta=0.0, loop_from=0.5, loop_to=0.5))
        assert torch.equal(kept.step_tokens, decoded(POLICIES["random"]).step_tokens)


def test_time_travel_hides_random_tokens_again_and_repeats():
    assert TimeTravel(jump=3, repeats=2).walk(7) == [0, 1, 2, 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 3, 4, 5, 6]
    seen, (tokens, mask) = [], example()
    policy = TimeTravel(jump=2, repeats=1)

    def watched(current, asked, counts):
        seen.append(asked.clone())
        return predictor_of(predict)(current, asked, counts)

    settings = settings_of(policy, num_steps=4, schedule=Linear())
    decode(watched, tokens, mask, settings=settings, mask_token_id=V, generator=image_generators(0, "d", range(BATCH)))
    draws = DecodeNoise(image_generators(0, "d", range(BATCH)), passes=8, tokens=tokens).uniform("travel", 6)[ROW].tolist()
    n0 = int(mask[ROW].sum())
    assert [int(asked[ROW].sum()) for asked in seen] == [n0, n0 * 3 // 4, n0, n0 * 3 // 4, n0 // 2, n0 // 4, n0 // 2, n0 // 4]
    still, before = places(seen[6][ROW]), places(mask[ROW])
    # of what was hidden when the second jump had ended, nothing: all of the hole was visible by then
    assert still == lowest({i: draws[i] for i in before}, n0 // 2)


def test_time_travel_without_repeats_is_the_confidence_order():
    assert torch.equal(decoded(TimeTravel(repeats=0)).step_tokens, decoded(Confidence()).step_tokens)


def test_vectors_read_their_lists_step_by_step():
    assert [read_at([4.0, 2.0, 0.0], t / 3) for t in (1, 2, 3)] == [4.0, 2.0, 0.0]
    assert [read_at([4.0, 2.0, 0.0], t / 6) for t in range(1, 7)] == pytest.approx([4.0, 4.0, 3.0, 2.0, 1.0, 0.0])
    lists = Vectors(order_temperatures=[4.5 * (1 - t / 7) for t in range(1, 8)], token_temperatures=[0.0])
    assert torch.equal(decoded(lists).step_tokens, decoded(Confidence()).step_tokens)


def test_context_guidance_goes_away_from_what_less_context_says():
    policy = ContextGuidance(weight=2.0, drop=0.5, ramp=2.0)
    known = ~example()[1][ROW]
    for t, shown, hidden, chosen, after in walked(policy):
        dropped, w = shown.clone(), 2.0 * (t / T) ** 2
        draw = uniform("dropped context", t)
        for i in lowest({i: draw[i] for i in places(known)}, int(known.sum()) // 2):
            dropped[i] = V
        full, less = (predict(grid[None])[0, :, :V].double() for grid in (shown, dropped))
        log_p = ((1 + w) * full - w * less).log_softmax(-1)
        assert all(int(chosen[i]) == int(log_p[i].argmax()) for i in places(hidden))
        scores = {i: float(log_p[i].max()) + 4.5 * (1 - (t + 1) / T) * gumbel(t)[i] for i in places(hidden)}
        assert places(after) == lowest(scores, planned(t))


def test_context_guidance_of_weight_0_is_the_confidence_order():
    assert torch.equal(decoded(ContextGuidance(weight=0.0)).step_tokens, decoded(Confidence()).step_tokens)


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: EntropyBound(epsilon=-1), "epsilon"), (lambda: PathPlanning(eta=-1), "eta"), (lambda: Remasking(eta=2), "eta"),
        (lambda: Remasking(strategy="most"), "strategy"), (lambda: Remasking(loop_from=0.9, loop_to=0.5), "loop_from"),
        (lambda: TimeTravel(jump=0), "jump"), (lambda: TimeTravel(repeats=-1), "repeats"),
        (lambda: Vectors(order_temperatures=[], token_temperatures=[1.0]), "order_temperatures"),
        (lambda: Vectors(order_temperatures=[1.0], token_temperatures=[math.nan]), "token_temperatures"),
        (lambda: ContextGuidance(drop=0), "drop"), (lambda: ContextGuidance(weight=math.inf), "weight"),
    ],
)  # fmt: skip
def test_policies_refuse_bad_values_by_their_key(make, key):
    with pytest.raises(ValueError, match=rf"decode\.policy\.{key}"):
        make()


def test_entropy_counts_a_code_without_probability_for_nothing():
    def sure(tokens):
        return torch.full((*tokens.shape, V + 1), -torch.inf).index_fill(-1, torch.tensor(3), 0.0)

    assert bool((decoded(Entropy(), network=sure).tokens[-1] == 3).all())
