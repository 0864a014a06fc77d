"""The workloads of `cargo xtask bench` in PyTorch, in its fastest form: tensors sliced, no DataLoader.

usage: python torch_bench.py DATA THREADS [cpu|cuda [eager|compile]]
Reads lines `WORKLOAD STEPS` and answers each with one JSON line: the milliseconds of every step, and the peak of resident
memory since the workload's data was read.
"""
import gzip, json, os, struct, sys, time
import torch
from torch import nn

DATA, THREADS = sys.argv[1], int(sys.argv[2])
DEVICE = sys.argv[3] if len(sys.argv) > 3 else "cpu"
MODE = sys.argv[4] if len(sys.argv) > 4 else "eager"
torch.set_num_threads(THREADS)


def idx(path):
    raw = gzip.open(path).read() if os.path.exists(path) else open(path[:-3], "rb").read()
    rank = raw[3]
    shape = struct.unpack(f">{rank}I", raw[4:4 + 4 * rank])
    return torch.frombuffer(bytearray(raw[4 + 4 * rank:]), dtype=torch.uint8).reshape(shape)


def images(name):
    x = idx(f"{DATA}/{name}/train-images-idx3-ubyte.gz").float() / 255
    return x.unsqueeze(1), idx(f"{DATA}/{name}/train-labels-idx1-ubyte.gz").long()


def zeros_and_ones():
    x, y = images("mnist")
    x = torch.cat([x[y == 0], x[y == 1]]).reshape(-1, 784)
    n0 = int((y == 0).sum())
    return x.to(DEVICE), torch.cat([torch.zeros(n0), torch.ones(len(x) - n0)]).reshape(-1, 1).to(DEVICE)


def circles():
    """Points of the right shape; their values do not change the time."""
    angle = torch.linspace(0, 6.28, 800)
    return torch.stack([angle.cos(), angle.sin()], 1).to(DEVICE), (torch.arange(800) % 2).float().to(DEVICE)


def batches(x, y, size):
    while True:
        for i in range(0, len(x), size):
            yield x[i:i + size], y[i:i + size]


def loader(x, y, size):
    """The usual way: a DataLoader that shuffles."""
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=size, shuffle=True)
    while True:
        yield from data


def reset_peak_memory():
    try:
        open("/proc/self/clear_refs", "w").write("5")
    except OSError:
        pass


def peak_memory_mb():
    try:
        line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    except OSError:
        return 0


def training(net, loss, optimizer, source):
    # In place: the optimiser's parameters move with it.
    net.to(DEVICE).train()

    def forward(x, y):
        out = net(x)
        return loss(out.reshape(y.shape) if out.numel() == y.numel() else out, y)
    if MODE == "compile":
        forward = torch.compile(forward, mode="reduce-overhead")

    def step():
        x, y = next(source)
        forward(x, y).backward()
        optimizer.step()
        optimizer.zero_grad()
    return step


def inference(net, x):
    net.to(DEVICE).eval()
    if MODE == "compile":
        net = torch.compile(net, mode="reduce-overhead")

    def step():
        with torch.inference_mode():
            net(x)
    return step


def cnn():
    return nn.Sequential(nn.Conv2d(1, 64, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(64, 64, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1024, 10))


def mlp(width, *middle):
    return nn.Sequential(nn.Linear(784, width), *middle, nn.ReLU(), nn.Linear(width, 10))


def tiny():
    return nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 1))


def make(name):
    torch.manual_seed(1)
    if name in ("W1", "W1d5", "W1d9", "W2", "W2dl"):
        x, y = zeros_and_ones()
        p = {"W1": 0.0, "W1d5": 0.5, "W1d9": 0.9, "W2": 0.5, "W2dl": 0.5}[name]
        net = nn.Sequential(nn.Linear(784, 32), *([nn.Dropout(p)] if p else []), nn.ReLU(), nn.Linear(32, 1))
        source = loader(x, y, 16) if name == "W2dl" else batches(x, y, 16 if name == "W2" else len(x))
        return training(net, nn.BCEWithLogitsLoss(), torch.optim.SGD(net.parameters()), source)
    if name == "W3":
        net = tiny()
        return training(net, nn.BCEWithLogitsLoss(), torch.optim.SGD(net.parameters(), lr=0.1), batches(*circles(), 800))
    if name == "W6tiny":
        return inference(tiny(), circles()[0][:1])
    x, y = (t.to(DEVICE) for t in images("fashion-mnist"))
    if name == "W6":
        return inference(cnn(), x[:1000])
    if name == "W6row":
        return inference(mlp(256), x[:1].reshape(1, 784))
    net = {"W4": lambda: mlp(256), "W4w": lambda: mlp(4096, nn.Dropout(0.5)), "W5": cnn}[name]()
    x = x if name == "W5" else x.reshape(-1, 784)
    return training(net, nn.CrossEntropyLoss(), torch.optim.Adam(net.parameters()), batches(x, y, 256))


steps = {}
for line in sys.stdin:
    name, count = line.split()
    if name not in steps:
        steps.clear()
        steps[name] = make(name)
        reset_peak_memory()
    times = []
    if DEVICE == "cuda":
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(int(count)):
            steps[name]()
        torch.cuda.synchronize()
        times = [(time.perf_counter() - start) * 1e3 / int(count)]
    else:
        for _ in range(int(count)):
            start = time.perf_counter()
            steps[name]()
            times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({"ms": times, "peak_mb": peak_memory_mb()}), flush=True)
