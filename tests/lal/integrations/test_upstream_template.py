"""scikit-activeml's own test template for query strategies, from a checkout: never copied here.

Set SKACTIVEML_TEMPLATE to the path of its ``skactiveml/tests/template_query_strategy.py``.
"""

import importlib.util
import os
import unittest
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skactiveml
from skactiveml.classifier import ParzenWindowClassifier, SklearnClassifier
from sklearn.linear_model import LogisticRegression

from lal.integrations.skactiveml import LearnedQueryStrategy

GIVEN = os.environ.get("SKACTIVEML_TEMPLATE", "")


@pytest.fixture
def template(monkeypatch) -> Any:
    path = Path(GIVEN)
    if not GIVEN or not path.is_file():
        pytest.skip("SKACTIVEML_TEMPLATE names no file: pass make test-skactiveml TEMPLATE=PATH")
    # The template imports its neighbours as skactiveml.tests, which no wheel holds.
    monkeypatch.setattr(skactiveml, "__path__", [*skactiveml.__path__, str(path.parents[1])])
    spec = importlib.util.spec_from_file_location("skactiveml_template", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def case(base: Any, policy: Any, clf: Any) -> type[unittest.TestCase]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    y = np.full(20, np.nan)
    y[:4] = [0, 1, 0, 1]

    class Case(base, unittest.TestCase):  # type: ignore[misc]
        def setUp(self):
            upstream: Any = super()
            upstream.setUp(
                qs_class=LearnedQueryStrategy,
                init_default_params={"policy": policy},
                query_default_params_clf={"X": X, "y": y, "clf": clf, "fit_clf": True},
            )

        def test_query_param_clf(self):
            other = SklearnClassifier(LogisticRegression(), missing_label="unknown", classes=["a"])
            super().test_query_param_clf(test_cases=[(other, (ValueError, TypeError))])

        def test_init_param_policy(self):
            wrong = [(None, ValueError), ("margni", KeyError), (3, ValueError), ("entropy", None)]
            self._test_param("init", "policy", wrong)

        def test_query(self):
            qs = LearnedQueryStrategy("margin", random_state=0)
            (row,) = qs.query(X, y, clf)
            assert np.isnan(y[row])

    return Case


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("clf", ["logistic", "parzen"])
@pytest.mark.parametrize("which", ["margin", "network"])
def test_the_upstream_template(clf, which, policy, template):
    base = template.TemplateSingleAnnotatorPoolQueryStrategy
    made = {
        "logistic": SklearnClassifier(LogisticRegression(), classes=[0, 1], random_state=0),
        "parzen": ParzenWindowClassifier(classes=[0, 1], random_state=0),
    }[clf]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(
        case(base, policy if which == "network" else "margin", made)
    )
    result = unittest.TestResult()
    suite.run(result)
    problems = [f"{test}: {text}" for test, text in [*result.failures, *result.errors]]
    assert result.testsRun > 15, f"only {result.testsRun} tests ran"
    assert not result.skipped
    assert not problems, "\n".join(problems)
