"""The net of W4 (784-256-10) behind FastAPI and PyTorch, as most people would write it.

The weights are those of a run of Rekindle (`model.safetensors`); answers have the form of `rekindle serve`.
Start: MODEL=runs/fashion-mnist-001/model.safetensors uvicorn app:app --port 8001 --workers 1 --log-level warning
"""

import os

import torch
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from safetensors.torch import load_file
from torch import nn

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]

net = nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10))
net.load_state_dict(load_file(os.environ["MODEL"]))
net.eval()
torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "1")))

app = FastAPI()


class Sample(BaseModel):
    x: list[float]


@app.post("/predict")
async def predict(sample: Sample):
    if len(sample.x) != 784:
        raise HTTPException(422, f"{len(sample.x)} numbers; the model takes 784")
    with torch.inference_mode():
        probabilities = net(torch.tensor(sample.x).unsqueeze(0)).softmax(1)[0]
    return {
        "model": "fashion-mnist",
        "predictions": [
            {
                "predicted": CLASSES[int(probabilities.argmax())],
                "probabilities": dict(zip(CLASSES, probabilities.tolist())),
            }
        ],
    }
