"""Rows 49, 50, 64, 65, 72 and 84: what training, sources, noise and columns say of a row."""

from dataclasses import replace

import numpy as np
import torch
from scipy.ndimage import rotate
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

from lal.arrays import Floats, Ints
from lal.learners import make_learner
from lal.learners.capabilities import find_capability
from lal.learners.neural.loss_head import pair_loss
from lal.learners.neural.two_views import NEGATIVES, choose_negatives, train_two_views
from lal.strategies.base import make_strategy
from lal.strategies.model_reuse import ModelReuse, source_weights
from lal.strategies.surprisal import surprisals
from lal.strategies.virtual_adversary import adversary, divergence
from scripts.row_checks.base import Outcome, all_of, areas, lead, make_state, pick
from scripts.row_checks.spaces import digits


def learning_loss() -> Outcome:
    """Predicted losses rank rows as true ones do; the pair loss is that of a loop."""
    generator = torch.Generator().manual_seed(0)
    predicted, losses = (
        torch.randn(2, 8, generator=generator),
        torch.rand(2, 8, generator=generator),
    )
    loop = sum(
        max(0.0, 1.0 - float(torch.sign(t[i] - t[i + 4]) * (p[i] - p[i + 4]))) / 4
        for p, t in zip(predicted, losses, strict=True)
        for i in range(4)
    )
    exact = abs(float(pair_loss(predicted, losses)) - loop) < 1e-5
    ranks, pairs, wrong = [], [], []
    for seed in range(3):
        X, y = digits(1797, seed)
        model = make_learner("mlp_loss").fit(X[:100], y[:100], n_classes=10, seed=seed)
        found = find_capability(model, "predict_loss", X[100:])
        proba = model.predict_proba(X[100:])
        true = -np.log(np.maximum(proba[np.arange(len(proba)), y[100:]], 1e-12))
        ranks.append(spearmanr(found, true).statistic)
        half = len(true) // 2
        pairs.append(np.mean((found[:half] > found[-half:]) == (true[:half] > true[-half:])))
        wrong.append((proba.argmax(axis=1) != y[100:])[np.argsort(-found)[:50]].mean())
    return all_of(
        (exact, "the pair loss is that of a loop"),
        (bool(np.mean(ranks) > 0.3), f"Spearman with the true loss {np.mean(ranks):.2f}"),
        (bool(np.mean(pairs) > 0.65), f"pairs in order {np.mean(pairs):.2f}"),
        (True, f"{100 * np.mean(wrong):.0f} % of its 50 picks are predicted wrong, 3 runs"),
    )


def model_reuse() -> Outcome:
    """An adversarial source loses its say; ten labels and sources are ahead of labels alone."""
    weights, leads = [], []
    for seed in range(8):
        X, y = digits(900, seed)
        sources = [_source(X[:300], y[:300], angle) for angle in (10, 15, 20)]
        sources.append(_source(X[:300], (y[:300] + 1) % 10, 0))
        state = make_state(X[300:], y[300:], np.arange(10), "logistic_regression")
        members = np.stack([source.predict_proba(state.X) for source in sources])
        share = source_weights(members, state, 1.0)
        weights.append(share[3] / share.sum())
        test = state.open
        vote = ModelReuse(sources).vote(state)[test].argmax(axis=1)
        alone = np.asarray(state.proba)[test].argmax(axis=1)
        leads.append(100 * ((vote == y[300:][test]).mean() - (alone == y[300:][test]).mean()))
    gain = np.array(leads)
    return all_of(
        (
            max(weights) < 0.1,
            f"weight of the adversarial source after 10 labels {max(weights):.0e}",
        ),
        (bool(gain.mean() > 0), f"accuracy of the vote, 8 runs: {lead(gain, 0 * gain)} points"),
    )


def _source(X: Floats, y: Ints, angle: float) -> LogisticRegression:
    turned = rotate(X.reshape(-1, 8, 8), angle, axes=(1, 2), reshape=False, order=1)
    return LogisticRegression(max_iter=1000, C=0.001, tol=0.01).fit(turned.reshape(len(X), -1), y)


def cartography() -> Outcome:
    """The diary is that of the network; picks are wrong more often than the pool."""
    wrong, pool, last = [], [], []
    for seed in range(4):
        X, y = digits(900, seed)
        state = make_state(X, y, np.arange(100), make_learner("mlp", dropout=0.0))
        diary = find_capability(state.model, "diary")
        codes = np.asarray(state.proba).argmax(axis=1)
        last.append(np.array_equal(diary.correct[-1] > 0.5, codes[:100] == y[:100]))
        rows = pick("cartography", state, 50, seed)
        wrong.append((codes != y)[rows].mean())
        pool.append((codes != y)[state.open].mean())
    runs = range(3)
    ours, random = (
        areas(n, "mlp", ("sklearn:digits", 30, 60, 20), runs) for n in ("cartography", "random")
    )
    shares = f"{100 * np.mean(wrong):.0f} %, of the pool {100 * np.mean(pool):.0f} %"
    return all_of(
        (all(last), "its last epoch is what the network predicts"),
        (bool(np.mean(wrong) > np.mean(pool)), f"predicted wrong: of the picks {shares}"),
        (True, f"digits, 3 runs: {lead(ours, random)} to random"),
    )


def consistency() -> Outcome:
    """No score where predictions stand still; training for consistency gains from the pool."""
    X, y = digits(900, 0)
    state = make_state(X, y, np.arange(30), "logistic_regression")
    proba = np.asarray(state.proba)

    class Still:
        def predict_proba(self, rows: Floats) -> Floats:
            return proba

    still = replace(state, model=Still())  # type: ignore[arg-type]
    zero = make_strategy("consistency").utilities(still, np.random.default_rng(0)).max()
    gains = []
    for seed in range(8):
        X, y = digits(1797, seed)
        bound = make_learner("mlp_consistency").bind(X[:800])  # type: ignore[attr-defined]
        fits = [
            m.fit(X[:30], y[:30], n_classes=10, seed=seed) for m in (bound, make_learner("mlp"))
        ]
        hits = [(m.predict(X[800:]) == y[800:]).mean() for m in fits]
        gains.append(100 * (hits[0] - hits[1]))
    gain = np.array(gains)
    return all_of(
        (bool(zero < 1e-20), "C = 0 for a model that does not change"),
        (
            bool(gain.mean() > 0),
            f"digits, 30 labels, 8 runs: {lead(gain, 0 * gain)} points of accuracy",
        ),
    )


def virtual_adversary() -> Outcome:
    """The step changes predictions more than a random one; picks are nearer to the border."""
    ahead, near = [], []
    for seed in range(5):
        X, y = digits(500, seed)
        state = make_state(X, y, np.arange(60), "mlp")
        rng = np.random.default_rng(seed)
        step = adversary(state, 0.2, rng)
        random = rng.normal(size=step.shape)
        random *= np.linalg.norm(step, axis=1, keepdims=True) / np.linalg.norm(
            random, axis=1, keepdims=True
        )
        p, predict = np.asarray(state.proba), state.model.predict_proba  # type: ignore[union-attr]
        ours, theirs = (divergence(p, predict(X + s)) for s in (step, random))
        ahead.append((ours > theirs).mean())
        top = np.sort(p, axis=1)
        margin = top[:, -1] - top[:, -2]
        near.append([np.median(margin[pick("virtual_adversary", state, 40, seed)]),
                     np.median(margin[state.open])])  # fmt: skip
    picked, pool = np.mean(near, axis=0)
    return all_of(
        (
            min(ahead) >= 0.95,
            f"divergence above a random step's in {100 * min(ahead):.0f} % at least",
        ),
        (bool(picked < pool), f"median margin of picks {picked:.2f}, of the pool {pool:.2f}"),
    )


def surprisal() -> Outcome:
    """Vectors have length 1 and zeros where masked; the first batch beside random ones."""
    X, y = digits(500)
    state = make_state(X, y, np.zeros(0, dtype=np.int64))
    vectors = surprisals(state.Z, 0.15, np.random.default_rng(0))
    lengths = np.linalg.norm(vectors, axis=1)
    kept = (vectors > 0).sum(axis=1).max()
    wins = []
    for seed in range(20):
        X, y = digits(900, seed)
        state = make_state(X[:500], y[:500], np.zeros(0, dtype=np.int64))
        batches = [pick("surprisal", state, 30, seed), pick("random", state, 30, seed)]
        fits = [LogisticRegression(max_iter=1000, C=0.1).fit(X[rows], y[rows]) for rows in batches]
        hits = [fit.score(X[500:], y[500:]) for fit in fits]
        wins.append(100 * (hits[0] - hits[1]))
    gain = np.array(wins)
    return all_of(
        (bool(np.allclose(lengths, 1.0)), "rows have length 1"),
        (bool(kept <= 10), "at most 15 % of the columns are not zero"),
        (True, f"digits, first batch of 30, 20 runs: {lead(gain, 0 * gain)} points to random"),
    )


def two_views() -> Outcome:
    """Chosen negatives are of more clusters than random ones; retrieval of the other half."""
    X, _ = digits(900)
    ours: list[float] = []
    random: list[float] = []
    spans = []
    cluster = KMeans(32, n_init=1, random_state=0).fit_predict(X[:600])

    def draw(codes: Floats, keys: Floats, rng: np.random.Generator) -> Ints:
        return rng.permutation(len(codes))[:NEGATIVES]

    def watched(codes: Floats, keys: Floats, rng: np.random.Generator) -> Ints:
        chosen = choose_negatives(codes, keys, rng)
        pair = (chosen, rng.permutation(len(codes))[: len(chosen)])
        spans.append([len(np.unique(cluster[rows])) for rows in pair])
        return chosen

    for seed in range(8):
        for choose, found in ((watched, ours), (draw, random)):
            first, second = train_two_views(X[:600], 32, choose, seed).views(X[600:])
            first, second = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (first, second))
            found.append(100 * np.mean((first @ second.T).argmax(axis=1) == np.arange(300)))
    chosen, drawn = np.mean(spans, axis=0)
    wins = np.mean(np.array(ours) > np.array(random))
    return all_of(
        (bool(chosen > drawn),
         f"of 32 clusters, 32 negatives have {chosen:.1f}, random {drawn:.1f}"),
        (bool(np.mean(ours) > 2.0), f"lower halves of 300 digits found by the upper: "
         f"{np.mean(ours):.1f} %, chance 0.3 %, {lead(np.array(ours), np.array(random))} to random "
         f"negatives, ahead in {100 * wins:.0f} % of 8 runs"),
    )  # fmt: skip
