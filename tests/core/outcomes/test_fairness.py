"""Facts about fairness: fairlearn's numbers on the same rows."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn import metrics as fl
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmon_exporter.core.model import Model
from mlmon_exporter.core.outcomes.fairness import PARITIES, Rates, parities
from tests.core.outcome_rows import SETTINGS, Values, model_of, predicted, tell, told
from tests.core.outcomes.people import FEATURES, Rows, parts, people, people_model

EXACT = 1e-9
OF_FAIRLEARN = PARITIES[:4]


def fed(rows: Rows, model: Model | None = None) -> Values:
    model = model or people_model()
    waiting = predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"))
    tell(model, waiting, rows["y"])
    return told(model)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_rates_and_parities_are_fairlearns(seed: int) -> None:
    rows = people(3000, seed)
    found = fed(rows)
    truth, label = rows["y"] == "yes", rows["label"] == "yes"
    bands = np.array(["<30", "[30, 50)", ">=50"])[np.digitize(rows["age"], (30, 50))]
    for feature, segments in (("sex", rows["sex"].astype(str)), ("age", bands)):
        frame = fl.MetricFrame(
            metrics={
                "selection": fl.selection_rate,
                "true_positive": fl.true_positive_rate,
                "false_positive": fl.false_positive_rate,
            },
            y_true=truth,
            y_pred=label,
            sensitive_features=segments,
        )
        for segment, rates in frame.by_group.iterrows():
            for name, value in rates.items():
                key = (f"segment_{name}_ratio", "v1", feature, segment)
                assert found[key] == pytest.approx(value, abs=EXACT)
            assert found["segment_rows", "v1", feature, segment] == (segments == segment).sum()
            positives = truth[segments == segment].sum()
            assert found["segment_positive_rows", "v1", feature, segment] == positives
        for parity in OF_FAIRLEARN:
            exact = getattr(fl, parity)(truth, label, sensitive_features=segments)
            assert found[parity, "v1", feature] == pytest.approx(exact, abs=EXACT), parity


def test_selection_needs_no_outcomes() -> None:
    model, rows = people_model(), people(2000, 4)
    predicted(model, parts(rows, *FEATURES), parts(rows, "p", "label"))
    found = told(model)
    label = rows["label"] == "yes"
    sex = rows["sex"].astype(str)
    for parity in ("demographic_parity_ratio", "demographic_parity_difference"):
        exact = getattr(fl, parity)(label, label, sensitive_features=sex)
        assert found[parity, "v1", "sex"] == pytest.approx(exact, abs=EXACT)
    assert ("equal_opportunity_difference", "v1", "sex") not in found
    assert ("segment_true_positive_ratio", "v1", "sex", "m") not in found
    assert ("segment_positive_rows", "v1", "sex", "m") not in found


def test_small_segments_take_no_part() -> None:
    rows = people(900, 5)
    rows["sex"][:20] = "x"
    found, without = fed(rows), fed({name: values[20:] for name, values in rows.items()})
    for parity in PARITIES:
        assert found[parity, "v1", "sex"] == without[parity, "v1", "sex"]


def test_one_segment_alone_has_no_parity() -> None:
    rows = people(300, 6)
    rows["sex"][:] = "m"
    found = fed(rows)
    assert ("segment_selection_ratio", "v1", "sex", "m") in found
    assert not any((parity, "v1", "sex") in found for parity in PARITIES)


def test_a_model_that_selects_nobody_has_no_ratio() -> None:
    rows = people(300, 7)
    rows["label"][:] = "no"
    found = fed(rows)
    assert found["demographic_parity_difference", "v1", "sex"] == 0.0
    assert ("demographic_parity_ratio", "v1", "sex") not in found


def test_many_classes_have_fairness_of_the_one_that_is_named() -> None:
    rng = np.random.default_rng(8)
    label = np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, 900)]
    truth = np.where(rng.random(900) < 0.7, label, "a").astype(object)
    group = np.array(["g", "h"], dtype=object)[rng.integers(0, 2, 900)]
    data = {"group": group, "label": label, "truth": truth}
    roles = {"ground_truth": "truth", "segments": ["group"]}
    for positive in ("", "b"):
        model = model_of(data, ["label"], SETTINGS, **roles, positive=positive)
        tell(model, predicted(model, {"group": group}, {"label": label}), truth)
        found = told(model)
        if not positive:
            assert ("equalized_odds_difference", "v1", "group") not in found
            continue
        exact = fl.equalized_odds_difference(
            truth == "b", label == "b", sensitive_features=group.astype(str)
        )
        assert found["equalized_odds_difference", "v1", "group"] == pytest.approx(exact)


rates = st.lists(st.one_of(st.floats(0, 1), st.just(float("nan"))), max_size=5)


@given(rates, rates, rates)
@settings(max_examples=100)
def test_parities_are_shares_or_unknown(a: list[float], b: list[float], c: list[float]) -> None:
    segments = min(len(a), len(b), len(c))
    rows = np.full(segments, 1000.0)
    selection, true, false = (np.round(np.array(r[:segments]), 3) for r in (a, b, c))
    for value in parities(Rates(rows, selection, true, false, rows, rows), 0.01).values():
        assert np.isnan(value) or 0 <= value <= 1


def test_segments_that_chance_parts_have_no_significant_gap_and_wronged_ones_have() -> None:
    rows = people(900, 9)
    found = fed(rows)
    assert found["demographic_parity_ratio", "v1", "sex"] < 1
    rows["label"][rows["sex"] == "f"] = "no"
    wronged = fed(rows)
    assert wronged["demographic_parity_significant_ratio", "v1", "sex"] == 0.0
    truth = (rows["y"] == "yes")[rows["sex"] != "f"]
    caught = (rows["label"] == "yes")[rows["sex"] != "f"]
    assert wronged["equalized_odds_significant_difference", "v1", "sex"] == pytest.approx(
        max(
            (caught & (rows["sex"] == g)[rows["sex"] != "f"])[truth].sum()
            / (truth & (rows["sex"] == g)[rows["sex"] != "f"]).sum()
            for g in set(rows["sex"]) - {"f"}
        ),
        abs=0.05,
    )


def test_segments_that_share_luck_must_differ_by_more() -> None:
    rows = np.array([1000.0, 1000.0])
    half = np.array([0.5, 0.5])
    rates = Rates(rows, np.array([0.5, 0.38]), half, half, rows, rows)
    key = "demographic_parity_significant_ratio"
    assert parities(rates, 0.001)[key] == pytest.approx(0.76)
    # A natural variance of 1 in 100 is that of 91 independent rows, which differ so much by chance.
    assert parities(rates, 0.001, natural=0.01)[key] == 1.0
