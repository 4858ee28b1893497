"""PoolPolicy: a learned strategy as a feature list and a scorer program, without its trainer."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from lal.arrays import Floats, Ints
from lal.errors import PolicyFileError, UsageError
from lal.features import FEATURES, candidate_matrix
from lal.features.base import NO_ROWS, check_scopes, common_kinds
from lal.policies.card import Card, check_card
from lal.policies.files import UNNAMED_KIND, Field, SavedPolicy, check_ids
from lal.policies.query.labels import HINT
from lal.policies.query.request import Options, answer, read_request
from lal.policies.query.scoring import Scoring
from lal.policies.query.screening import SCREENED, SCREENS, default_screen, scored_rows
from lal.policies.scoring.scorer import Scorer, compile_program
from lal.state import QueryState
from lal.strategies.base import choose_batch
from lal.strategies.selection import PRESELECT, SELECTIONS, Batch, check_size, whole_number
from lal.task_kind import CLASSIFICATION, TaskKind, check_served, check_task_kind


class PolicyRangeWarning(UserWarning):
    """A policy is used outside the range its card says it was trained in."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PoolPolicy(SavedPolicy):
    """A policy for pools: pure, memoryless, class-symmetric unless it says otherwise.

    Attributes:
        name: Name, for tables and messages.
        candidate_features: Ids of the candidate features, in the order of the program's columns.
        context_features: Ids of the context features.
        program: Scorer program over ``candidates``, ``context`` and ``reference``.
        tensors: Arrays that the program names.
        selection: Named batch rule; "top" leaves it to `batch_rule`.
        screening: Named screen that chooses the rows scored in full where more than 20 000 may
            be asked; see `lal.policies.query.screening`. "" takes "none" where a row costs little.
        class_symmetric: Renaming classes changes no utility.
        card: Plain JSON values: what it was trained on, its evidence, its ranges. Printed, it is
            text; `to_markdown` and `to_html` make pages of it.
        missing_label: What stands for a missing label in `query`, besides None and nan.
    """

    kind: ClassVar[str] = UNNAMED_KIND
    FIELDS: ClassVar[Mapping[str, Field]] = {
        "name": Field(str),
        "candidate_features": Field(list),
        "context_features": Field(list),
        "program": Field(dict),
        "selection": Field(str),
        "class_symmetric": Field(bool),
        "card": Field(dict),
        "screening": Field(str, since=2),
    }

    name: str
    candidate_features: tuple[str, ...]
    context_features: tuple[str, ...] = ()
    program: Mapping[str, Any]
    tensors: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    selection: str = "top"
    screening: str = ""
    class_symmetric: bool = True
    card: Any = field(default_factory=dict, repr=False)  # a mapping when made, then a Card
    missing_label: Any = float("nan")

    def __post_init__(self) -> None:
        """Check the whole specification; nothing is left to the first query."""
        object.__setattr__(self, "candidate_features", tuple(self.candidate_features))
        object.__setattr__(self, "context_features", tuple(self.context_features))
        check_scopes(self.candidate_features, "candidate")
        check_scopes(self.context_features, "context")
        _ = self.kinds  # features of different kinds of task are refused
        ids = (*self.candidate_features, *self.context_features)
        uneven = [i for i in ids if not FEATURES[i].class_symmetric]
        if self.class_symmetric and uneven:
            raise UsageError(
                f"feature {uneven[0]!r} depends on class names; say class_symmetric=False"
            )
        SELECTIONS[self.selection]
        screening = self.screening or default_screen(self.candidate_features)
        object.__setattr__(self, "screening", screening)
        SCREENS[self.screening]
        object.__setattr__(self, "card", self._card())
        if self.scorer.mixes_candidates:
            raise PolicyFileError(
                f"policy {self.name!r} pools over the candidates, so utilities would depend on "
                "which rows are asked about; pool over 'reference' instead"
            )

    def _card(self) -> Card:
        check_card(self.card)
        about = ("name", "candidate_features", "context_features", "batch_rule", "screening")
        told = {field: getattr(self, field) for field in (*about, "class_symmetric")}
        return Card(self.card, {**told, "screened": SCREENED})

    @cached_property
    def scorer(self) -> Scorer:
        """The checked program."""
        return compile_program(
            self.program,
            self.tensors,
            n_candidate=sum(FEATURES[i].dim for i in self.candidate_features),
            n_context=sum(FEATURES[i].dim for i in self.context_features),
        )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is rebuilt when needed."""
        return {k: v for k, v in self.__dict__.items() if k not in ("scorer", "warned")}

    def __deepcopy__(self, memo: Mapping[int, Any]) -> "PoolPolicy":
        """Return itself: nothing in a policy changes, so copies may share it."""
        return self

    @cached_property
    def kinds(self) -> tuple[TaskKind, ...]:
        """Kinds of task that its features mean something in."""
        return common_kinds((*self.candidate_features, *self.context_features))

    @property
    def batch_rule(self) -> str:
        """Name of the rule that chooses batches of more than one row.

        "top" is what a file says that names no rule. A policy that looks at where labelled rows
        lie then takes "greedy", because the rows of highest utility are neighbours of the first.
        """
        ids = (*self.candidate_features, *self.context_features)
        places = any(FEATURES[i].of_labels == "places" for i in ids)
        return "greedy" if self.selection == "top" and places else self.selection

    def utilities(self, state: QueryState, rng: np.random.Generator | None = None) -> Floats:
        """Return the utility of every row, shape (N,); a function of the state alone.

        In a large pool those rows that screening leaves out get one value below all others.

        Raises:
            UsageError: A state of a kind of task that the policy is not for.
            DataError: The program gives numbers that are not finite.
        """
        check_served(self, state.kind, name=f"policy {self.name!r}")
        if self._scores_all(state):
            return self.score(state)
        return self.make_batch(state, state.open, 1).utilities

    def _scores_all(self, state: QueryState) -> bool:
        return state.N <= SCREENED or self.screening == "none"

    def score(self, state: QueryState, rows: Ints | None = None) -> Floats:
        """Return the utilities of the given rows (all when None), whatever screening would say.

        Raises:
            DataError: The program gives numbers that are not finite.
        """
        return self._scoring(np.arange(state.N) if rows is None else rows).score(state)

    def _scoring(self, rows: Ints) -> Scoring:
        return Scoring((self.candidate_features, self.context_features), self.scorer, rows)

    def make_batch(
        self, state: QueryState, rows: Ints, size: int, *, detailed: bool = False
    ) -> Batch:
        """Return what a batch rule chooses `size` of the given rows from; see `Batch`.

        Raises:
            UsageError: A state of a kind of task that the policy is not for.
        """
        check_served(self, state.kind, name=f"policy {self.name!r}")
        check_size(size, len(rows))
        whole = self._scores_all(state)
        scored = np.arange(state.N)
        if not whole:
            scored = scored_rows(self.screening, state, rows, PRESELECT * size)
        scoring = self._scoring(scored)
        values = scoring.score(state)
        if whole:
            utilities, rows = values, rows
        else:
            utilities, rows = np.full(state.N, values.min(initial=0.0) - 1.0), scored
            utilities[scored] = values

        def score(later: QueryState, wanted: Ints) -> Floats:
            nonlocal scoring
            if scoring.rows is not wanted:
                scoring = self._scoring(wanted)
            return scoring.score(later)

        return Batch(state, utilities, rows, scored, score, size, detailed)

    def query(
        self,
        X: Any,
        y: Any,
        clf: Any = None,
        *,
        proba: Any = None,
        classes: Sequence[Any] | None = None,
        budget: int | None = None,
        candidates: Any = None,
        batch_size: int = 1,
        fit_clf: bool = True,
        sample_weight: Any = None,
        random_state: Any = 0,
        return_utilities: bool = False,
        batch_rule: str | None = None,
        task: str = CLASSIFICATION,
    ) -> Any:
        """Return the rows to label next, best first.

        Args:
            X: Pool, N rows: array, data frame or sparse matrix.
            y: Labels (N,), missing ones as nan, None or `missing_label`.
            clf: Classifier (regressor) or pipeline; a clone is fitted to the labelled rows.
            proba: Class probabilities (N, C) instead of a classifier.
            classes: All classes, when known.
            budget: Labels that may be acquired in all, the present ones included, when known.
            candidates: None (rows without a label), row numbers of X, or samples (n, D).
            batch_size: Rows to return.
            fit_clf: False uses `clf` as it is.
            sample_weight: Weights of the rows of X, shape (N,).
            random_state: Seeds the learner and breaks ties.
            return_utilities: Also return the utilities.
            batch_rule: How a batch is chosen: "greedy" (one row after the other, each given its
                predicted label before the next is chosen), "top" (highest utilities), "gumbel" or
                "greedy_diverse". By default the policy's own, the attribute `batch_rule`.
            task: "regression" where y holds numbers and clf is a regressor.

        Returns:
            Row numbers of X (of `candidates` when these are samples), shape (batch_size,). With
            `return_utilities` also the utilities before each choice, shape (batch_size, n), nan
            for rows that cannot be asked, that screening left out, and those chosen before.

        Raises:
            DataError: Samples or labels that cannot be used.
            UsageError: Arguments that contradict each other.
        """
        options = Options(
            proba=proba,
            classes=classes,
            budget=budget,
            candidates=candidates,
            fit_clf=fit_clf,
            sample_weight=sample_weight,
            random_state=random_state,
            missing_label=self.missing_label,
            task=check_task_kind(task),
        )
        check_served(self, options.task, name=f"policy {self.name!r}")
        request = read_request(X, y, clf, options)
        if len(request.rows) == 0:
            raise UsageError(
                "every row has a label or candidates is empty; nothing is left to ask; if y holds "
                f"a mark such as -1, {HINT}"
            )
        self._warn_outside(request.state)
        self._warn_featureless(request.state)
        size = whole_number(batch_size, "batch_size")
        batch = self.make_batch(request.state, request.rows, size, detailed=return_utilities)
        picks = choose_batch(self, batch, request.pair, batch_rule)
        return answer(request, picks, batch.rows) if return_utilities else request.index(picks.rows)

    def explain(self, X: Any, y: Any, clf: Any, index: int, **options: Any) -> dict[str, float]:
        """Return how the utility of a row changes when a feature is set to its pool median.

        Args:
            X: As in `query`.
            y: As in `query`.
            clf: As in `query`.
            index: Row of X.
            **options: Further arguments of `query` (proba, classes, budget, task ...).

        Returns:
            Candidate feature id to the change; a negative change says that the feature's value
            speaks for the row.
        """
        given = Options(missing_label=self.missing_label, **options)
        state = read_request(X, y, clf, given).state
        index = whole_number(index, "index")
        if not 0 <= index < state.N:
            raise UsageError(f"index must be 0 to {state.N - 1}, got {index}")
        return self.explain_state(state, index)

    def explain_state(self, state: QueryState, index: int) -> dict[str, float]:
        """Return what `explain` does, for a state that is there already.

        The median of a pool of more than 20 000 rows is that of its reference set.
        """
        rows = np.arange(state.N) if state.N <= SCREENED else state.reference
        median = np.median(candidate_matrix(state, self.candidate_features, rows), axis=0)
        own = candidate_matrix(state, self.candidate_features, np.array([index]))[0]
        ends = np.cumsum([FEATURES[i].dim for i in self.candidate_features]).tolist()
        variants = [own]
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            row = own.copy()
            row[start:end] = median[start:end]
            variants.append(row)
        values = self.scorer.run(
            {**self._scoring(NO_ROWS).given(state), "candidates": np.stack(variants)}
        )
        changes = (values[1:] - values[0]).tolist()
        return dict(zip(self.candidate_features, changes, strict=True))

    @cached_property
    def warned(self) -> set[str]:
        """Ranges that were warned of; each is mentioned once."""
        return set()

    def _warn_featureless(self, state: QueryState) -> None:
        """Warn once where the learner has none of what the candidate features are made of."""
        needs = [FEATURES[i].needs for i in self.candidate_features]
        undefined = all(any(getattr(state, n) is None for n in need) for need in needs)
        if state.proba is None or not undefined or "learner" in self.warned:
            return
        self.warned.add("learner")
        wanted = ", ".join(sorted({n for need in needs for n in need}))
        warnings.warn(
            f"policy {self.name!r} needs a learner with {wanted} (see its card); with this one "
            "all rows tie and the choice is random",
            PolicyRangeWarning,
            stacklevel=3,
        )

    def _warn_outside(self, state: QueryState) -> None:
        """Warn once for every range of the card that the state lies outside of."""
        now = {
            # every task begins with fewer than two classes seen; that says nothing of its range
            "n_classes": max(len(np.unique(state.labels)), 2),
            "n_columns": int(state.X.shape[1]),
            "n_labelled": len(state.labelled),
            "n_pool": state.N,
        }
        for what, (low, high) in dict(self.card.get("ranges", {})).items():
            if what in now and what not in self.warned and not low <= now[what] <= high:
                self.warned.add(what)
                warnings.warn(
                    f"policy {self.name!r} was trained with {what} from {low} to {high}; here it "
                    f"is {now[what]}, so its evidence does not carry over",
                    PolicyRangeWarning,
                    stacklevel=3,
                )

    def to_fields(self) -> dict[str, Any]:
        """Return what a file says of the policy; its kind, the first there was, is not named."""
        return {name: getattr(self, name) for name in self.FIELDS}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Return the policy of a file's fields and tensors."""
        given = {name: fields[name] for name in cls.FIELDS if name in fields}
        check_ids([*given["candidate_features"], *given["context_features"]])
        return cls(**given, tensors=tensors)
