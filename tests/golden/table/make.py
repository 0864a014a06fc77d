"""Writes the data sets of `data/` and table.json beside itself: what scikit-learn makes of wine's columns and of a few categories.

Run it with scikit-learn 1.9. `crates/rekindle-data/src/table/tests/golden.rs` reads the file.
"""

import csv
import json
import os

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "..", "..", "data")


def write(name, data, columns, label, classes):
    with open(os.path.join(DATA, name), "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*columns, label])
        for row, target in zip(data.data, data.target):
            # repr is the shortest text that gives the number back.
            writer.writerow([repr(float(v)).removesuffix(".0") for v in row] + [classes[target]])


iris, wine, cancer = load_iris(), load_wine(), load_breast_cancer()
write("iris.csv", iris, [n.replace(" (cm)", "").replace(" ", "_") for n in iris.feature_names], "species",
      list(iris.target_names))
write("wine.csv", wine, [n.replace("/", "_") for n in wine.feature_names], "cultivar", ["1", "2", "3"])
write("breast-cancer.csv", cancer, [n.replace(" ", "_") for n in cancer.feature_names], "diagnosis",
      list(cancer.target_names))

train = [i for i in range(len(wine.data)) if i % 3 != 0]
scaler = StandardScaler().fit(wine.data[train])
scaled = scaler.transform(wine.data)

categories = [["red", "S"], ["blue", "XL"], ["red", "M"], ["green", "S"], ["Red", "10"], ["blue", "9"]]
onehot = OneHotEncoder(sparse_output=False).fit(np.array(categories))
golden = {
    "wine": {
        "train": train,
        "mean": scaler.mean_.tolist(),
        "std": scaler.scale_.tolist(),
        "rows": list(range(0, len(wine.data), 7)),
        "x": scaled[::7].tolist(),
    },
    "categories": {
        "cells": categories,
        "names": onehot.get_feature_names_out(["colour", "size"]).tolist(),
        "x": onehot.transform(np.array(categories)).tolist(),
    },
}
with open(os.path.join(HERE, "table.json"), "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
