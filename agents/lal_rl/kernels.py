"""Compiled double DQN for the LAL-RL network: act, remember, replay, learn.

The network (Konyushkova et al., arXiv 1810.04114): the state of 30 sorted scores through 10
sigmoid units; these with the 3 features of a candidate through 5 sigmoid units; one linear
output. The state layer is computed once per state. All numbers lie in one flat float32 array:
W1 (30 rows of 16, 10 used), b1 (16), W2 from the state layer (5 rows of 16), W2 from the
candidate (5 rows of 3), b2 (5), w3 (5), b3.
"""

import math

import numpy as np

from envs.simulator.compile import kernel
from envs.simulator.kernels.lal_rl.standardise import standardise
from envs.simulator.kernels.random_numbers import uniform
from envs.simulator.kernels.simd import load, logistic, reduce_sum, splat, store

N_STATE, N_HIDDEN, N_JOINT, N_FEATURES = 30, 10, 5, 3
W1 = 0
B1 = W1 + N_STATE * 16
W2 = B1 + 16
W2A = W2 + N_JOINT * 16
B2 = W2A + N_JOINT * N_FEATURES
W3 = B2 + N_JOINT
B3 = W3 + N_JOINT
SIZE = (B3 + 1 + 15) // 16 * 16
STATE_PAD = 32
PUBLISHED, SYMMETRIC, UNCERTAINTY_ONLY = 0, 1, 2
"""What the network sees; see `see`."""

ABSENT = np.float32(-1.0)
"""First feature of a candidate that cannot be asked, in replay."""

ZERO, ONE = np.float32(0.0), np.float32(1.0)
LOWEST = np.float32(-1e8)


@kernel
def state_layer(theta, states, at, hidden, joint):
    """Write the 10 sigmoids of a state to `hidden` and the inputs of the 5 to `joint`."""
    a0 = load(theta, B1)
    a1 = splat(ZERO)
    for j in range(0, N_STATE, 2):
        a0 = a0 + splat(states[at + j]) * load(theta, W1 + j * 16)
        a1 = a1 + splat(states[at + j + 1]) * load(theta, W1 + j * 16 + 16)
    units = logistic(a0 + a1)
    store(hidden, 0, units)
    for i in range(N_HIDDEN, 16):
        hidden[i] = ZERO
    units = load(hidden, 0)
    for k in range(N_JOINT):
        joint[k] = theta[B2 + k] + reduce_sum(units * load(theta, W2 + k * 16))


@kernel
def candidate_values(theta, joint, planes, at, pad, values):
    """Write Q of every candidate; `planes` holds the three features as rows of `pad`."""
    for v in range(0, pad, 16):
        x = load(planes, at + v)
        y = load(planes, at + pad + v)
        z = load(planes, at + 2 * pad + v)
        q = splat(theta[B3])
        for k in range(N_JOINT):
            w = W2A + k * N_FEATURES
            inner = splat(joint[k]) + splat(theta[w]) * x
            inner = inner + splat(theta[w + 1]) * y + splat(theta[w + 2]) * z
            q = q + splat(theta[W3 + k]) * logistic(inner)
        store(values, v, q)


@kernel
def one_value(theta, joint, features, at, step, units):
    """Return Q of one candidate and leave its 5 sigmoids in `units`."""
    q = theta[B3]
    for k in range(N_JOINT):
        s = joint[k]
        for j in range(N_FEATURES):
            s += theta[W2A + k * N_FEATURES + j] * features[at + j * step]
        units[k] = ONE / (ONE + np.float32(math.exp(-s)))
        q += theta[W3 + k] * units[k]
    return q


@kernel
def choose(theta, candidates, context, mask, pad, epsilon, view, random, states, planes, actions):
    """Choose an action for every episode: random with probability `epsilon`, else the best.

    Also writes what the network saw: `states` (E, 32) and `planes` (E, 3, pad), unavailable
    candidates marked. Equal values are broken at random.
    """
    hidden = np.zeros(16, dtype=np.float32)
    joint = np.zeros(N_JOINT, dtype=np.float32)
    values = np.zeros(pad, dtype=np.float32)
    for e in range(len(actions)):
        see(candidates, context, mask, pad, e, e, view, states, planes)
        explore = uniform(random) < epsilon
        if not explore:
            state_layer(theta, states, e * STATE_PAD, hidden, joint)
            candidate_values(theta, joint, planes, e * 3 * pad, pad, values)
        best = -1
        top = LOWEST
        ties = 0
        for i in range(pad):
            if planes[e * 3 * pad + i] == ABSENT:
                continue
            value = ZERO if explore else values[i]
            if value > top:
                top = value
                best = i
                ties = 1
            elif value == top:
                ties += 1
                if uniform(random) * ties < 1.0:
                    best = i
        actions[e] = best


@kernel
def see(candidates, context, mask, pad, source, target, view, states, planes):
    """Copy an observation, as the network sees it, into row `target` of `states` and `planes`.

    `view` is `PUBLISHED` (all as it is), `SYMMETRIC` (see `_make_symmetric`), or
    `UNCERTAINTY_ONLY`, which is symmetric with zeros for the distances.
    """
    n = 3 * pad
    for i in range(0, n, 16):
        store(planes, target * n + i, load(candidates, source * n + i))
    for i in range(0, STATE_PAD, 16):
        store(states, target * STATE_PAD + i, load(context, source * STATE_PAD + i))
    if view != PUBLISHED:
        _make_symmetric(states, target * STATE_PAD, planes, target * n, mask, source * pad, pad)
    if view == UNCERTAINTY_ONLY:
        for i in range(pad, 3 * pad):
            planes[target * n + i] = ZERO
    for i in range(pad):
        if mask[source * pad + i] == 0:
            planes[target * n + i] = ABSENT


@kernel
def _make_symmetric(states, first, planes, at, mask, open_at, pad):
    """Take the names of the classes and the scale of the distances out of an observation.

    P(class 0) becomes 1 - |2 p - 1|, which renaming the classes leaves as it is, and the state is
    sorted anew. Distances are counted in standard deviations from their mean over the open
    candidates, so that they mean the same in few and in many columns.
    """
    for i in range(pad):
        planes[at + i] = ONE - abs(planes[at + i] * 2 - ONE)
    for i in range(N_STATE):
        value = ONE - abs(states[first + i] * 2 - ONE)
        j = i
        while j > 0 and states[first + j - 1] > value:
            states[first + j] = states[first + j - 1]
            j -= 1
        states[first + j] = value
    for plane in range(1, N_FEATURES):
        begin = at + plane * pad
        standardise(planes[begin : begin + pad], mask[open_at : open_at + pad], pad)


@kernel(forceinline=True)
def set_priority(tree, leaves, slot, value):
    """Set a leaf of the sum tree and the sums above it."""
    node = leaves + slot
    tree[node] = value
    while node > 1:
        node >>= 1
        tree[node] = tree[2 * node] + tree[2 * node + 1]


@kernel
def remember(
    memory, tree, leaves, cursor, before, states, planes, actions, flags,
    candidates, context, mask, pad, view, order,
):  # fmt: skip
    """Store the transitions of one step of E episodes at the highest priority seen.

    `memory` is (states, chosen features, next states, next planes, ended); `cursor` holds the
    next slot and the number stored, ``before[0]`` the highest priority; `states` and `planes` are
    what `choose` wrote, `flags` (terminated, truncated) those of the step. `order` says whose end
    each episode is told of: its own, or, for a control, another's.
    """
    now, chosen, later, planes_later, ended = memory
    E = len(actions)
    capacity = len(ended)
    for e in range(E):
        slot = cursor[0]
        cursor[0] = (slot + 1) % capacity
        cursor[1] = min(cursor[1] + 1, capacity)
        for i in range(0, STATE_PAD, 16):
            store(now, slot * STATE_PAD + i, load(states, e * STATE_PAD + i))
        for j in range(N_FEATURES):
            chosen[slot * N_FEATURES + j] = planes[e * 3 * pad + j * pad + actions[e]]
        over = flags[0, e] or flags[1, e]
        source = e + E if over else e
        see(candidates, context, mask, pad, source, slot, view, later, planes_later)
        ended[slot] = flags[0, order[e]]
        set_priority(tree, leaves, slot, before[0])


@kernel
def _sample(tree, leaves, stored, random, slots):
    """Draw distinct slots with probability proportional to their priority."""
    n = len(slots)
    for i in range(n):
        goal = uniform(random) * tree[1]
        if tree[1] <= 0.0:
            slots[i] = np.int64(uniform(random) * stored)
            continue
        node = 1
        while node < leaves:
            node *= 2
            if goal >= tree[node] and tree[node + 1] > 0.0:
                goal -= tree[node]
                node += 1
        slots[i] = node - leaves
        # Without replacement: the drawn leaf is empty until its new priority is known.
        set_priority(tree, leaves, slots[i], 0.0)


@kernel
def add_gradient(theta, gradient, states, at, features, hidden, joint, units, slope):
    """Add `slope` times the derivative of Q(state, features) to the gradient."""
    inner = np.empty(N_JOINT, dtype=np.float32)
    gradient[B3] += slope
    back = splat(ZERO)
    layer = load(hidden, 0)
    for k in range(N_JOINT):
        gradient[W3 + k] += slope * units[k]
        inner[k] = slope * theta[W3 + k] * units[k] * (ONE - units[k])
        gradient[B2 + k] += inner[k]
        for j in range(N_FEATURES):
            gradient[W2A + k * N_FEATURES + j] += inner[k] * features[j]
        row = W2 + k * 16
        back = back + splat(inner[k]) * load(theta, row)
        store(gradient, row, load(gradient, row) + splat(inner[k]) * layer)
    back = back * layer * (splat(ONE) - layer)
    store(gradient, B1, load(gradient, B1) + back)
    for j in range(N_STATE):
        row = W1 + j * 16
        store(gradient, row, load(gradient, row) + splat(states[at + j]) * back)


@kernel
def batch_gradient(theta, target, gradient, memory, pad, slots, errors):
    """Write the gradient of the sum of squared TD errors over the given transitions.

    Double DQN: the online network chooses the next candidate, the target network judges it;
    reward -1 a step, no discount, nothing after a terminal step.

    Args:
        theta: Online network.
        target: Target network.
        gradient: Written, same layout.
        memory: See `remember`.
        pad: Padded candidates.
        slots: Transitions (B,).
        errors: Written, TD errors (B,).
    """
    now, chosen, later, planes_later, ended = memory
    hidden = np.zeros(16, dtype=np.float32)
    joint = np.zeros(N_JOINT, dtype=np.float32)
    units = np.zeros(N_JOINT, dtype=np.float32)
    values = np.zeros(pad, dtype=np.float32)
    gradient[:] = ZERO
    for b in range(len(slots)):
        slot = slots[b]
        goal = -ONE
        if not ended[slot]:
            planes = slot * 3 * pad
            state_layer(theta, later, slot * STATE_PAD, hidden, joint)
            candidate_values(theta, joint, planes_later, planes, pad, values)
            best = -1
            top = LOWEST
            for i in range(pad):
                if planes_later[planes + i] != ABSENT and values[i] > top:
                    top = values[i]
                    best = i
            state_layer(target, later, slot * STATE_PAD, hidden, joint)
            goal += one_value(target, joint, planes_later, planes + best, pad, units)
        state_layer(theta, now, slot * STATE_PAD, hidden, joint)
        features = chosen[slot * N_FEATURES : (slot + 1) * N_FEATURES]
        q = one_value(theta, joint, features, 0, 1, units)
        errors[b] = q - goal
        slope = np.float32(2.0) * errors[b]
        add_gradient(theta, gradient, now, slot * STATE_PAD, features, hidden, joint, units, slope)


@kernel
def learn(
    theta, target, moments, counts, memory, tree, leaves, cursor, before, random, pad, n_updates,
    batch_size, learning_rate, polyak, exponent,
):  # fmt: skip
    """Take gradient steps with Adam, move the target network, renew priorities.

    Returns the mean squared TD error.
    """
    gradient = np.zeros(SIZE, dtype=np.float32)
    errors = np.zeros(batch_size, dtype=np.float32)
    slots = np.zeros(batch_size, dtype=np.int64)
    first, second = moments
    loss = 0.0
    for _ in range(n_updates):
        _sample(tree, leaves, cursor[1], random, slots)
        batch_gradient(theta, target, gradient, memory, pad, slots, errors)
        counts[0] += 1
        one = 1.0 - 0.9 ** counts[0]
        two = 1.0 - 0.999 ** counts[0]
        for i in range(SIZE):
            g = gradient[i]
            first[i] = np.float32(0.9) * first[i] + np.float32(0.1) * g
            second[i] = np.float32(0.999) * second[i] + np.float32(0.001) * g * g
            theta[i] -= np.float32(
                learning_rate * (first[i] / one) / (math.sqrt(second[i] / two) + 1e-8)
            )
            target[i] += np.float32(polyak) * (theta[i] - target[i])
        for b in range(batch_size):
            size = abs(np.float64(errors[b]))
            priority = max(size, 1e-4) ** exponent
            before[0] = max(before[0], priority)
            set_priority(tree, leaves, slots[b], priority)
            loss += size * size / batch_size
    return loss / max(n_updates, 1)
