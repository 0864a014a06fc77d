"""Writes metrics.json beside itself: small data and what scikit-learn and torchmetrics say of it.

Run it with scikit-learn 1.9 and torchmetrics 1.9. `crates/rekindle-train/tests/train/metrics/golden.rs` reads the file. NaN and
infinity, which JSON has not, are the strings "nan" and "inf". What torchmetrics computes in f32 is computed here in f64 by its
formula, and the script fails if torchmetrics disagrees.
"""

import json
import math
import os
import warnings
from functools import partial

import numpy as np
import sklearn
import sklearn.metrics as sk
import torch
import torchmetrics
import torchmetrics.functional.classification as tm
from torchmetrics.functional.classification.calibration_error import _ce_compute

warnings.simplefilter("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
noise = np.random.default_rng(20261122)
ZEROS = {"zero": 0.0, "one": 1.0, "nan": np.nan}


def plain(value):
    """What JSON can hold."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (bool, np.bool_, int, np.integer)):
        return int(value)
    if isinstance(value, str):
        return value
    value = float(value)
    return "nan" if math.isnan(value) else "inf" if math.isinf(value) else value


def case(id, kind, expect, **inputs):
    return plain({"id": id, "kind": kind} | inputs | {"expect": expect})


def averaged(y, p, averages, **labels):
    """Precision and its relatives, for each meaning of a division by zero."""
    out = {}
    for zero, value in ZEROS.items():
        for average in averages:
            key, one = f"{average or 'per_class'}/{zero}", dict(average=average, zero_division=value) | labels
            out[f"precision/{key}"] = sk.precision_score(y, p, **one)
            out[f"recall/{key}"] = sk.recall_score(y, p, **one)
            out[f"f1/{key}"] = sk.f1_score(y, p, **one)
            for beta in (0, 0.5, np.inf):
                out[f"f{beta}/{key}"] = sk.fbeta_score(y, p, beta=beta, **one)
            if zero != "nan":  # scikit-learn refuses it for Jaccard.
                out[f"jaccard/{key}"] = sk.jaccard_score(y, p, **one)
    return out


def specificity(y, p, macro, report):
    """tn / (tn + fp), 0 for 0 / 0, of the classes, and averaged as torchmetrics does; `report` asks it."""
    tn, fp = np.moveaxis(sk.multilabel_confusion_matrix(y, p, labels=range(len(macro)))[:, 0], 0, 1)
    support = sk.multilabel_confusion_matrix(y, p, labels=range(len(macro)))[:, 1].sum(1)
    each = np.where(tn + fp > 0, tn / np.maximum(tn + fp, 1), 0.0)
    micro = tn.sum() / max((tn + fp).sum(), 1)
    weighted = (each * support).sum() / support.sum() if support.sum() else each.mean()
    got = {"micro": micro, "macro": each[macro].mean(), "weighted": weighted, None: each}
    for average, value in got.items():
        if average != "weighted" or support.sum():  # Without a positive label torchmetrics divides by zero.
            np.testing.assert_allclose(report(average).numpy(), value, rtol=1e-6, atol=1e-7)
    return {f"specificity/{average or 'per_class'}/zero": value for average, value in got.items()}


def classes(id, n_classes, p, y):
    """Predicted and actual classes."""
    p, y = np.asarray(p), np.asarray(y)
    labels = list(range(n_classes))
    seen = [int(c) for c in np.union1d(y, p)]
    each = ("micro", "macro", "weighted")
    out = averaged(y, p, each)
    every = averaged(y, p, each + (None,), labels=labels)
    out |= {key.replace("macro", "macro_all"): v for key, v in every.items() if "macro" in key or "per_class" in key}
    if n_classes == 2:
        out |= averaged(y, p, ("binary",))
    tensors = torch.tensor(p), torch.tensor(y)
    in_macro = np.isin(labels, seen)
    out |= specificity(y, p, in_macro, lambda a: tm.multiclass_specificity(*tensors, num_classes=n_classes, average=a or "none"))
    out |= {
        "accuracy": sk.accuracy_score(y, p), "balanced_accuracy": sk.balanced_accuracy_score(y, p),
        "hamming_loss": sk.hamming_loss(y, p), "cohen_kappa": sk.cohen_kappa_score(y, p),
        "matthews_corrcoef": sk.matthews_corrcoef(y, p), "confusion_matrix": sk.confusion_matrix(y, p, labels=labels),
    }
    for by in ("true", "pred", "all"):
        out[f"normalised/{by}"] = sk.confusion_matrix(y, p, labels=labels, normalize=by)
    names = ["cat", "dog", "a rather long name of a class", "x", "y", "z", "horse"][:n_classes]
    for digits, zero in ((2, "zero"), (2, "one"), (2, "nan"), (4, "zero"), (15, "zero")):
        shown = dict(digits=digits, zero_division=ZEROS[zero])
        out[f"report/{digits}/{zero}"] = sk.classification_report(y, p, **shown)
        all_of_them = dict(labels=labels, target_names=names) | shown
        out[f"report_all/{digits}/{zero}"] = sk.classification_report(y, p, **all_of_them)
    return case(id, "classes", out, classes=n_classes, preds=p, target=y, names=names)


def labels(id, p, y):
    """Several yes-or-no labels a sample."""
    p, y = np.asarray(p), np.asarray(y)
    out = averaged(y, p, ("micro", "macro", "weighted", "samples", None))
    tensors = torch.tensor(p), torch.tensor(y)
    n_labels = y.shape[1]
    out |= specificity(y, p, np.full(n_labels, True), lambda a: tm.multilabel_specificity(*tensors, num_labels=n_labels, average=a or "none"))
    out |= {"accuracy": sk.accuracy_score(y, p), "hamming_loss": sk.hamming_loss(y, p)}
    out["counts"] = sk.multilabel_confusion_matrix(y, p)
    np.testing.assert_allclose(tm.multilabel_exact_match(*tensors, num_labels=n_labels), out["accuracy"], rtol=1e-6)
    for zero, value in ZEROS.items():
        out[f"report/3/{zero}"] = sk.classification_report(y, p, digits=3, zero_division=value)
    return case(id, "labels", out, labels=n_labels, preds=p, target=y)


def ranking(id, s, y):
    """Scores of class 1, of several classes, or of labels; scikit-learn knows several classes as labels."""
    s, y = np.asarray(s, float), np.asarray(y)
    out = {}
    if s.ndim == 1:
        out["roc"] = sk.roc_curve(y, s)
        out["precision_recall"] = sk.precision_recall_curve(y, s)
        out |= {"roc_auc/binary": sk.roc_auc_score(y, s), "average_precision/binary": sk.average_precision_score(y, s)}
        return case(id, "ranking", out, preds=s, target=y)
    hot = y if y.ndim == 2 else np.eye(s.shape[1], dtype=int)[y]
    out["roc"] = [sk.roc_curve(hot[:, c], s[:, c]) for c in range(s.shape[1])]
    for average in ("micro", "macro", "weighted", None):
        key = average or "per_class"
        out[f"roc_auc/{key}"] = sk.roc_auc_score(hot, s, average=average)
        out[f"average_precision/{key}"] = sk.average_precision_score(hot, s, average=average)
        if y.ndim == 1:
            as_classes = sk.roc_auc_score(y, s, average=average, multi_class="ovr", labels=range(s.shape[1]))
            np.testing.assert_allclose(as_classes, out[f"roc_auc/{key}"])
    return case(id, "ranking", out, preds=s, target=y)


def probability(id, s, y):
    """Probabilities of class 1 or of several classes."""
    s, y = np.asarray(s, float), np.asarray(y)
    scores, target = torch.tensor(s), torch.tensor(y)
    if s.ndim == 1:
        every = range(2)
        confidences, right, calibration = scores, target, tm.binary_calibration_error
        out = {"log_loss": sk.log_loss(y, s, labels=every), "brier_score": sk.brier_score_loss(y, s, pos_label=1)}
    else:
        every = range(s.shape[1])
        confidences, right = scores.max(1).values, scores.argmax(1) == target
        calibration = partial(tm.multiclass_calibration_error, num_classes=s.shape[1])
        out = {"log_loss": sk.log_loss(y, s, labels=every), "brier_score": sk.brier_score_loss(y, s, labels=every)}
    out["log_loss_f32"] = sk.log_loss(y, s.astype(np.float32), labels=every)
    for bins in (1, 5, 10, 15):
        # The public function computes several classes in f32.
        out[f"calibration/{bins}"] = _ce_compute(confidences, right.double(), bins)
        out[f"calibration_f32/{bins}"] = calibration(scores.float(), target, n_bins=bins)
    if s.ndim == 2 and s.shape[1] > 2:
        for k in range(1, s.shape[1] + 1):
            out[f"top_k/{k}"] = sk.top_k_accuracy_score(y, s, k=k, labels=every)
    return case(id, "probability", out, preds=s, target=y)


def regression(id, p, y):
    p, y = np.asarray(p, float), np.asarray(y, float)
    out = {
        "mean_absolute_error": sk.mean_absolute_error(y, p), "mean_squared_error": sk.mean_squared_error(y, p),
        "root_mean_squared_error": sk.root_mean_squared_error(y, p), "r2_score": sk.r2_score(y, p),
    }
    return case(id, "regression", out, preds=p, target=y)


def rows(n, n_classes, of=64):
    """Probabilities in multiples of 1 / of: their sums are exact and many are tied."""
    return noise.multinomial(of, noise.dirichlet(np.ones(n_classes), n)) / of


def of_classes():
    for n_classes, n in ((2, 1), (2, 25), (2, 400), (3, 7), (3, 60), (7, 40), (7, 500)):
        y = noise.integers(0, n_classes, n)
        p = np.where(noise.random(n) < 0.6, y, noise.integers(0, n_classes, n))
        yield classes(f"random/{n_classes}/{n}", n_classes, p, y)
    yield classes("perfect", 3, [0, 1, 2, 1], [0, 1, 2, 1])
    yield classes("all wrong", 3, [1, 2, 0, 0], [0, 1, 2, 1])
    yield classes("absent in the targets", 3, [0, 2, 1, 1, 2], [0, 0, 1, 1, 1])
    yield classes("absent in the predictions", 3, [0, 0, 1, 1, 1], [0, 2, 1, 1, 2])
    yield classes("absent in both", 4, [0, 1, 3, 3], [0, 1, 1, 3])
    yield classes("absent here and there", 5, [0, 1, 1, 3], [0, 4, 1, 0])
    yield classes("only class 0", 2, [0, 0, 0], [0, 0, 0])
    yield classes("only class 1", 2, [1, 1, 1], [1, 1, 1])
    yield classes("only class 2 of 3", 3, [2, 2], [2, 2])
    yield classes("always predicts 0", 2, [0, 0, 0, 0], [0, 1, 0, 1])
    yield classes("always predicts 1, wrongly", 2, [1, 1, 1], [0, 0, 0])
    yield classes("halves are rounded to even", 2, [0] * 8 + [1] * 8, [0] + [1] * 7 + [1] * 3 + [0] * 5)


def of_labels():
    for n, rate in ((1, 0.5), (30, 0.5), (200, 0.2)):
        y = (noise.random((n, 4)) < rate).astype(int)
        p = np.where(noise.random((n, 4)) < 0.7, y, (noise.random((n, 4)) < rate).astype(int))
        yield labels(f"random/{n}", p, y)
    yield labels("perfect", [[1, 0], [0, 1], [1, 1]], [[1, 0], [0, 1], [1, 1]])
    yield labels("all wrong", [[1, 0], [0, 1]], [[0, 1], [1, 0]])
    yield labels("a label without targets", [[1, 0, 1], [0, 0, 1]], [[1, 0, 0], [1, 0, 0]])
    yield labels("no label at all", [[0, 0], [0, 0]], [[0, 0], [0, 0]])
    yield labels("no targets", [[1, 0], [0, 0]], [[0, 0], [0, 0]])
    yield labels("no predictions", [[0, 0], [0, 0]], [[1, 0], [0, 1]])


def of_rankings():
    for n, digits in ((12, 3), (80, 1), (300, 2)):
        y = noise.integers(0, 2, n)
        y[:2] = 0, 1
        yield ranking(f"binary/{n}", np.round(noise.normal(size=n) + y, digits), y)
    yield ranking("binary/perfect", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    yield ranking("binary/all wrong", [0.8, 0.9, 0.1, 0.2], [0, 0, 1, 1])
    yield ranking("binary/constant", [0.5, 0.5, 0.5, 0.5, 0.5], [0, 1, 1, 0, 1])
    yield ranking("binary/ties", [0.5, 0.5, 0.2, 0.2, 0.9, 0.9], [0, 1, 0, 1, 1, 0])
    yield ranking("binary/negative zero", [0.0, -0.0, 1.0, -1.0], [0, 1, 1, 0])
    yield ranking("binary/no positive", [0.1, 0.4, 0.4], [0, 0, 0])
    yield ranking("binary/no negative", [0.1, 0.4, 0.4], [1, 1, 1])
    yield ranking("binary/two samples", [0.3, 0.2], [1, 0])
    for n_classes, n in ((3, 40), (7, 60)):
        yield ranking(f"classes/{n_classes}", rows(n, n_classes), np.r_[range(n_classes), noise.integers(0, n_classes, n - n_classes)])
    yield ranking("classes/absent", rows(20, 4), noise.integers(0, 3, 20))
    yield ranking("classes/constant", np.full((6, 4), 0.25), [0, 1, 2, 3, 3, 3])
    yield ranking("labels/4", np.round(noise.normal(size=(30, 4)), 1), noise.integers(0, 2, (30, 4)))
    yield ranking("labels/absent", np.round(noise.normal(size=(5, 2)), 1), [[0, 1], [0, 0], [0, 1], [0, 0], [0, 1]])
    yield ranking("labels/none", [[0.1, 0.2], [0.3, 0.1]], [[0, 0], [0, 0]])


def of_probabilities():
    for n in (10, 200):
        p = np.round(noise.random(n), 3)
        yield probability(f"binary/{n}", p, (noise.random(n) < p).astype(int))
    yield probability("binary/certain", [0.0, 1.0, 0.0, 1.0], [0, 1, 1, 0])
    yield probability("binary/borders", np.arange(31) / 30, np.arange(31) % 2)
    yield probability("binary/one class", [0.1, 0.3], [0, 0])
    for n_classes, n in ((3, 50), (7, 120)):
        yield probability(f"classes/{n_classes}", rows(n, n_classes), noise.integers(0, n_classes, n))
    yield probability("classes/2", rows(20, 2), noise.integers(0, 2, 20))
    yield probability("classes/ties", rows(60, 5, of=4), noise.integers(0, 5, 60))
    yield probability("classes/constant", np.full((6, 4), 0.25), [0, 1, 2, 3, 3, 3])
    yield probability("classes/certain", np.eye(3), [0, 1, 0])
    yield probability("classes/absent", rows(9, 4), noise.integers(0, 2, 9))


def of_regressions():
    for n in (2, 50, 1000):
        y = np.round(noise.normal(size=n) * 3, 3)
        yield regression(f"random/{n}", np.round(y + noise.normal(size=n), 3), y)
    yield regression("far from zero", [1e6 + 1, 1e6 + 2.5, 1e6 + 3], [1e6 + 1, 1e6 + 2, 1e6 + 4])
    yield regression("perfect", [1.0, 2.5, -3.0], [1.0, 2.5, -3.0])
    yield regression("constant targets", [1.0, 2.0, 3.0], [-2.0, -2.0, -2.0])
    yield regression("constant targets, met", [-2.0, -2.0], [-2.0, -2.0])
    yield regression("one sample", [1.0], [2.0])
    yield regression("worse than the mean", [3.0, 2.0, 1.0], [1.0, 2.0, 3.0])


def main():
    versions = {"scikit-learn": sklearn.__version__, "torchmetrics": torchmetrics.__version__, "numpy": np.__version__}
    makers = (of_classes, of_labels, of_rankings, of_probabilities, of_regressions)
    cases = ",\n".join(json.dumps(case, separators=(",", ":")) for make in makers for case in make())
    with open(os.path.join(HERE, "metrics.json"), "w") as f:
        f.write('{"head":' + json.dumps({"file": "metrics", "versions": versions}) + ',\n"cases":[\n' + cases + "\n]}\n")


main()
