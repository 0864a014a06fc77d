"""What `cargo xtask interchange` asks of Python: is what Rekindle wrote right for onnxruntime and for PyTorch?

    check.py onnx FOLDER     every case: the checker takes the file, and onnxruntime gives Rekindle's answers
    check.py torch FOLDER    every net: PyTorch loads our weights and gives our answers, and writes weights of its own beside them

A case is NAME.json: `onnx`, the name of the file, and `batches`, each with `inputs` and `outputs` as lists (null is NaN), or with `rows`, the
cells of a table by column, which become inputs here as a user would make them. Prints a line for each; ends with 1 if one is wrong, with 3 if a
package is missing.
"""

import datetime
import json
import pathlib
import sys

TOLERANCE = 1e-5

try:
    import numpy as np
    import onnx
    import onnxruntime
    import torch
    from safetensors.torch import load_file, save_file
except ImportError as missing:
    print(f"{missing}; pip install -r tests/interchange/requirements.txt", file=sys.stderr)
    sys.exit(3)

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(uint8)": np.uint8}


def difference(got, expected):
    """The largest difference, relative to numbers above 1; infinite where one is NaN and the other is not, or shapes differ."""
    got, expected = np.asarray(got, np.float64), np.array(expected, np.float64)
    if got.shape != expected.shape or (np.isnan(got) != np.isnan(expected)).any():
        return np.inf
    both = ~np.isnan(expected)
    scale = np.maximum(1, np.abs(expected[both]))
    return float(np.max(np.abs(got[both] - expected[both]) / scale, initial=0))


def column(wanted, cells):
    """The cells of a column as the input that the file wants."""
    absent = [cell == "" for cell in cells]
    if wanted.type == "tensor(string)":
        return np.array(cells, dtype=object).reshape(-1, 1)
    if wanted.shape[1] == 4:
        def parts(cell):
            date = datetime.date.fromisoformat(cell)
            return [date.year, date.month, date.day, date.weekday()]
        rows = [[np.nan] * 4 if none else parts(cell) for cell, none in zip(cells, absent)]
        return np.array(rows, TYPES[wanted.type])
    words = {"yes": 1, "no": 0, "": np.nan}
    numbers = [words[cell] if cell in words else float(cell) for cell in cells]
    return np.array(numbers, TYPES[wanted.type]).reshape(-1, 1)


def onnx_case(path):
    case = json.loads(path.read_text())
    file = str(path.with_name(case["onnx"]))
    onnx.checker.check_model(onnx.load(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in case["batches"]:
        if "rows" in batch:
            inputs = {wanted.name: column(wanted, batch["rows"][wanted.name]) for wanted in session.get_inputs()}
        else:
            inputs = {
                wanted.name: np.array(batch["inputs"][wanted.name], np.float64).astype(TYPES[wanted.type])
                for wanted in session.get_inputs()
            }
        names = [output.name for output in session.get_outputs()]
        assert set(names) == set(batch["outputs"]), f"outputs {names}"
        for name, got in zip(names, session.run(names, inputs)):
            worst = max(worst, difference(got, batch["outputs"][name]))
    return worst


def forward(net, x):
    with torch.no_grad():
        return net(torch.tensor(x, dtype=torch.float32)).double().numpy()


def torch_case(path):
    case = json.loads(path.read_text())
    # A recipe's words are PyTorch's.
    layers = [eval(word if "(" in word else f"{word}()", vars(torch.nn).copy()) for word in case["net"]]
    net = torch.nn.Sequential(*layers).eval()
    net.load_state_dict(load_file(path.with_name(case["weights"])))
    worst = difference(forward(net, case["x"]), case["y"])

    # The other way round: weights and running statistics that are PyTorch's own.
    torch.manual_seed(1)
    for parameter in net.parameters():
        torch.nn.init.uniform_(parameter, -0.5, 0.5)
    net.train()
    forward(net, case["x"])
    net.eval()
    folder = path.parent / path.stem
    folder.mkdir(exist_ok=True)
    state = net.state_dict()
    save_file(state, folder / "from_torch.safetensors")
    torch.save(state, folder / "model.pt")
    torch.save(state, folder / "legacy.pt", _use_new_zipfile_serialization=False)
    (folder / "answers.json").write_text(json.dumps({"y": forward(net, case["x"]).tolist()}))
    return worst


def main():
    check = {"onnx": onnx_case, "torch": torch_case}[sys.argv[1]]
    cases = sorted(pathlib.Path(sys.argv[2]).glob("*.json"))
    wrong = [] if cases else ["there are no cases"]
    for path in cases:
        try:
            worst = check(path)
        except Exception as error:  # whatever the packages complain about is a wrong case
            worst, text = np.inf, str(error).splitlines()[0]
            print(f"  {path.stem}: {text}")
        print(f"  {path.stem:<36} {worst:.1e}{'' if worst <= TOLERANCE else '  WRONG'}")
        if not worst <= TOLERANCE:
            wrong.append(path.stem)
    print(f"{sys.argv[1]}: {len(cases)} cases, {len(wrong)} wrong{': ' if wrong else ''}{', '.join(wrong)}")
    sys.exit(1 if wrong else 0)


main()
