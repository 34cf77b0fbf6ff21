"""The lab's protocol as plain loops over images and positions: slow, obvious, the judge of the vectorised code."""

import math

import torch

from maskgit_lab.core.decoding import DecodeSettings, DecodeTrace, decode, predictor_of


def masked_positions(candidates, noise, r, schedule):
    """Hide the n = clamp(ceil(gamma(r) N), 1, N) candidates with the smallest noise."""
    positions = [i for i in range(len(candidates)) if candidates[i]]
    n = min(max(math.ceil(len(positions) * schedule(r) - 1e-9), 1), len(positions)) if positions else 0
    return set(sorted(positions, key=lambda i: float(noise[i]))[:n])


def decode_one(predict, tokens, mask, *, schedule, num_steps, mask_token_id, sweet_spot, temperature, uniform):
    """Decode one image; `uniform` is (T, N), the draws behind the Gumbel noise."""
    num_tokens = len(tokens)
    current = [mask_token_id if mask[i] else int(tokens[i]) for i in range(num_tokens)]
    hidden = {i for i in range(num_tokens) if mask[i]}
    n0 = len(hidden)
    steps, masks, order = [], [], []
    for t in range(sweet_spot):
        r = (t + 1) / num_steps
        logits = predict(torch.tensor([current]))[0].float()
        filled, confidence = list(current), {}
        for i in sorted(hidden):
            row = logits[i].clone()
            row[mask_token_id] = -math.inf
            log_p = torch.log_softmax(row, -1)
            filled[i] = int(log_p.argmax())
            gumbel = -math.log(-math.log(min(max(float(uniform[t][i]), 1e-9), 1 - 2**-24)))
            confidence[i] = float(log_p.max()) + temperature * (1 - r) * gumbel
        keep = math.floor(n0 * schedule(r) + 1e-9)
        stay = set(sorted(confidence, key=lambda i: confidence[i])[:keep])
        order.append(hidden - stay)
        hidden = stay
        current = [mask_token_id if i in hidden else filled[i] for i in range(num_tokens)]
        steps.append(filled)
        masks.append([i in hidden for i in range(num_tokens)])
    return torch.tensor(steps), torch.tensor(masks), order


def decode_with(network, tokens, mask, *, mask_token_id, generator=None, **settings) -> DecodeTrace:
    """Decode with a network of the whole grid; `settings` are fields of DecodeSettings."""
    return decode(
        predictor_of(network), tokens, mask, settings=DecodeSettings(**settings),
        mask_token_id=mask_token_id, generator=generator,
    )  # fmt: skip
