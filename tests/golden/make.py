#!/usr/bin/env python3
"""Makes the golden vectors beside this script from PyTorch: `python3 tests/golden/make.py` (torch 2.15, AVX-512).

Each case is a short program that runs here and, read from `code`, in `cargo xtask golden tests/golden`. Its inputs and
results are stored as big-endian IEEE bits. `cmp` is "bits", or a tolerance where PyTorch calls a library (MKL's
exp, log and square root) that leaves its last digit open; the same program in double precision must agree with it.
"""
import json
import os

import numpy as np
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
CLOSE = {"rel": 2e-5, "abs": 5e-6}
DTYPES = {"float32": "f32", "float64": "f64", "int64": "i64", "bool": "u8", "uint8": "u8"}
noise = np.random.default_rng(20261122)


def array(value):
    a = np.asarray(value.detach().contiguous().numpy() if isinstance(value, torch.Tensor) else value)
    stored = {"dtype": DTYPES[str(a.dtype)], "shape": list(a.shape)}
    if a.dtype.kind == "f":
        return stored | {"hex": a.astype(a.dtype.newbyteorder(">")).tobytes().hex()}
    return stored | {"data": [int(i) for i in a.ravel()]}


def names():
    return {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "np": np}


def run(code, inputs, leaves, outs, double=False):
    space = names()
    for name, a in inputs.items():
        t = torch.from_numpy(a.copy())
        t = t.double() if double and t.is_floating_point() else t
        space[name] = t.requires_grad_(name in leaves)
    exec(code, space)
    return {name: eval(text, space) for name, text in outs.items()}


def stream(id, code, **outs):
    """A program that draws: afterwards the stream must stand where PyTorch's does."""
    space = names()
    exec(code, space)
    case = {"id": id, "code": code, "cmp": "bits", "out": {k: array(eval(text, space)) for k, text in outs.items()}}
    return case | {"next_rand": array(torch.rand(1))["hex"]}


def op(id, code, inputs, leaves, outs, cmp=CLOSE):
    got = run(code, inputs, leaves, outs)
    if cmp != "bits":
        for name, exact in run(code, inputs, leaves, outs, double=True).items():
            torch.testing.assert_close(got[name].double(), exact.double(), rtol=cmp["rel"], atol=cmp["abs"])
    stored = {"in": {k: array(v) for k, v in inputs.items()}, "out": {k: array(v) for k, v in got.items()}}
    return {"id": id, "code": code, "requires_grad": list(leaves), "cmp": cmp} | stored


def normal(*shape):
    return noise.standard_normal(shape).astype(np.float32)


def streams():
    seed = "torch.manual_seed(17); "
    yield stream("rand", seed + "x=torch.rand(19)", x="x")
    yield stream("randn", seed + "x=torch.randn(5); y=torch.randn(33)", x="x", y="y")
    yield stream("randint", seed + "x=torch.randint(-5,1000,(20,))", x="x")
    yield stream("randperm", seed + "x=torch.randperm(37)", x="x")
    yield stream("dropout", seed + "y=F.dropout(torch.ones(50),0.3,True)", y="y")
    yield stream("linear", seed + "m=nn.Linear(7,3)", weight="m.weight", bias="m.bias")
    yield stream("conv2d", seed + "m=nn.Conv2d(2,3,(3,2))", weight="m.weight", bias="m.bias")
    yield stream("kaiming_normal", seed + "w=torch.empty(5,8); nn.init.kaiming_normal_(w,nonlinearity='relu')", w="w")


def layer(id, call, x, gy, cmp=CLOSE, **more):
    code = f"y={call}; y.backward(gy)"
    outs = {"y": "y", "dx": "x.grad"} | {f"d{name}": f"{name}.grad" for name in more}
    return op(id, code, {"x": x, "gy": gy} | more, ["x", *more], outs, cmp)


def layers():
    for name in ("relu", "leaky_relu", "gelu", "silu", "softplus", "sigmoid", "tanh", "logsigmoid"):
        yield layer(name, f"F.{name}(x)", normal(4, 5), normal(4, 5))
    for dim in (0, 1):
        yield layer(f"softmax/{dim}", f"F.softmax(x,{dim})", normal(4, 5), normal(4, 5))
        yield layer(f"log_softmax/{dim}", f"F.log_softmax(x,{dim})", normal(4, 5), normal(4, 5))
    yield layer("linear", "F.linear(x,w,b)", normal(6, 9), normal(6, 4), w=normal(4, 9), b=normal(4))
    yield layer("layer_norm", "F.layer_norm(x,(6,),w,b)", normal(4, 6), normal(4, 6), w=normal(6), b=normal(6))
    yield layer("batch_norm", "F.batch_norm(x,None,None,w,b,True)", normal(5, 3), normal(5, 3), w=normal(3), b=normal(3))
    for options, gy in (("padding=1", (2, 4, 6, 5)), ("stride=2", (2, 4, 2, 2)), ("dilation=2", (2, 4, 2, 1))):
        yield layer(f"conv2d/{options}", f"F.conv2d(x,w,b,{options})", normal(2, 3, 6, 5), normal(*gy), w=normal(4, 3, 3, 3), b=normal(4))
    yield layer("conv2d/groups", "F.conv2d(x,w,b,groups=2)", normal(2, 4, 5, 5), normal(2, 6, 3, 3), w=normal(6, 2, 3, 3), b=normal(6))
    yield layer("conv1d", "F.conv1d(x,w,b,padding=1)", normal(2, 3, 9), normal(2, 4, 9), w=normal(4, 3, 3), b=normal(4))
    # The order of summation is PyTorch's: see conv/forward.rs in the kernels.
    many = {"x": normal(2, 20, 7, 6), "w": normal(5, 20, 3, 3), "b": normal(5)}
    yield op("conv2d/order_of_the_sum", "y=F.conv2d(x,w,b,padding=1)", many, [], {"y": "y"}, "bits")
    for name, options in (("max_pool2d", "2"), ("avg_pool2d", "(2,3)"), ("adaptive_avg_pool2d", "(3,2)")):
        gy = {"max_pool2d": (2, 2, 3, 3), "avg_pool2d": (2, 2, 3, 2), "adaptive_avg_pool2d": (2, 2, 3, 2)}[name]
        yield layer(name, f"F.{name}(x,{options})", normal(2, 2, 6, 6), normal(*gy))


def losses():
    z, t = normal(5, 4), noise.integers(0, 4, 5)
    p = (1 / (1 + np.exp(-normal(5, 4)))).astype(np.float32)
    half, weight = noise.random((5, 4)).astype(np.float32), noise.random(4).astype(np.float32)
    for name, x, y, options in (
        ("binary_cross_entropy", p, half, ""), ("binary_cross_entropy_with_logits", z, half, ""),
        ("binary_cross_entropy_with_logits", z, half, ",weight=w,pos_weight=w"), ("cross_entropy", z, t, ""),
        ("cross_entropy", z, t, ",weight=w,label_smoothing=0.1"), ("cross_entropy", z, half, ",weight=w"),
        ("cross_entropy", z, t, ",ignore_index=2"), ("nll_loss", z, t, ",weight=w"), ("l1_loss", z, half, ""),
        ("mse_loss", z, half, ""), ("smooth_l1_loss", z, half, ",beta=0.5"), ("huber_loss", z, half, ",delta=0.5"),
        ("multi_margin_loss", z, t, ""),
    ):
        for reduction in ("mean", "sum", "none"):
            code = f"y=F.{name}(x,t{options},reduction='{reduction}'); y.sum().backward()"
            outs, inputs = {"y": "y", "dx": "x.grad"}, {"x": x, "t": y, "w": weight}
            yield op(f"{name}{options}/{reduction}", code, inputs, ["x"], outs)


def optimizers():
    p, g = normal(6), normal(8, 6)
    for options in (
        "SGD([p])", "SGD([p],lr=0.1,momentum=0.9,nesterov=True,weight_decay=0.01)", "SGD([p],momentum=0.8,dampening=0.3)",
        "Adam([p])", "Adam([p],lr=0.01,weight_decay=0.01,amsgrad=True)", "AdamW([p],lr=0.01,weight_decay=0.1)",
        "RMSprop([p])", "RMSprop([p],momentum=0.9,centered=True)", "Adagrad([p],lr=0.1,lr_decay=0.01)",
    ):
        steps = "for t in range(len(g)): p.grad=g[t].clone(); o.step(); h.append(p.detach().clone())"
        code = f"p=nn.Parameter(p0.clone()); o=torch.optim.{options}; h=[]\n{steps}\nh=torch.stack(h)"
        cmp = "bits" if options.startswith("SGD") else {"rel": 1e-6, "abs": 1e-7}
        yield op(options, code, {"p0": p, "g": g}, [], {"h": "h"}, cmp)


def main():
    torch.set_num_threads(1)
    for make in (streams, layers, losses, optimizers):
        name = make.__name__
        head = {"file": name, "versions": {"torch": torch.__version__.split("+")[0], "numpy": np.__version__}}
        cases = ",\n".join(json.dumps(case) for case in make())
        with open(os.path.join(HERE, name + ".json"), "w") as f:
            f.write('{"head":' + json.dumps(head) + ',\n"cases":[\n' + cases + "\n]}\n")


main()
