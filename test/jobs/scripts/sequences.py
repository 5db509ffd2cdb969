"""Networks over tokens at their default initialisation, on sequences that are copied or classified."""

import argparse
import math

import torch
from torch import nn

import stagewatch

parser = argparse.ArgumentParser()
parser.add_argument("--model", choices=["encoder", "lstm", "padded", "gpt", "vit"], default="encoder")
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--optimizer", default="AdamW")
parser.add_argument("--lr", type=float, default=2e-3)
options = parser.parse_args()

torch.manual_seed(0)
EXAMPLES, LENGTH, WORDS, WIDTH = 64, 12, 20, 32
ids = torch.randint(1, WORDS, (EXAMPLES, LENGTH))


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.Sequential(*[nn.TransformerEncoderLayer(WIDTH, 4, 64, batch_first=True) for _ in range(2)])
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x):
        return self.head(self.layers(self.embedding(x)).mean(dim=1))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, batch_first=True)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x):
        out, _ = self.lstm(self.embedding(x))
        return self.head(out[:, -1])


class Padded(nn.Module):
    """Bag of words, where zero is padding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, WIDTH, padding_idx=0)
        self.layers = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, 2))

    def forward(self, x):
        there = (x != 0).unsqueeze(-1).float()
        return self.layers((self.embedding(x) * there).sum(dim=1) / there.sum(dim=1).clamp(min=1.0))


class Gpt(nn.Module):
    """One block with causal attention written out, and the head over all positions."""

    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.norm1, self.norm2, self.last = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attention, self.mix = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))
        self.head = nn.Linear(WIDTH, WORDS, bias=False)
        self.register_buffer("mask", torch.tril(torch.ones(LENGTH - 1, LENGTH - 1)).bool())

    def forward(self, x):
        h = self.words(x) + self.places(torch.arange(x.shape[1]))
        q, k, v = self.attention(self.norm1(h)).split(WIDTH, dim=-1)
        scores = (q @ k.transpose(1, 2) / math.sqrt(WIDTH)).masked_fill(~self.mask, -1e9)
        h = h + self.mix(torch.softmax(scores, dim=-1) @ v)
        h = h + self.mlp(self.norm2(h))
        return self.head(self.last(h)).transpose(1, 2)


class VisionTransformer(nn.Module):
    """Over patches that are given as vectors."""

    def __init__(self):
        super().__init__()
        self.patches, self.places = nn.Linear(16, WIDTH), nn.Parameter(torch.zeros(1, LENGTH, WIDTH))
        self.layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, batch_first=True, norm_first=True, activation="gelu")
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, x):
        return self.head(self.norm(self.layer(self.patches(x) + self.places)).mean(dim=1))


if options.model == "gpt":
    x, y = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
elif options.model == "vit":
    x = torch.randn(EXAMPLES, LENGTH, 16)
    y = (x[:, :, 0].sum(dim=1) > 0).long()
else:
    y = (ids.float().mean(dim=1) > WORDS / 2).long()
    x = ids.clone()
    if options.model == "padded":
        for row in range(EXAMPLES):
            x[row, LENGTH - row % 7:] = 0
model = {"encoder": Encoder, "lstm": Lstm, "padded": Padded, "gpt": Gpt, "vit": VisionTransformer}[options.model]()
optimizer = getattr(torch.optim, options.optimizer)(model.parameters(), lr=options.lr)
criterion = nn.CrossEntropyLoss()
run = stagewatch.attach(model, optimizer, loss=criterion, train=(x, y), name=options.model, batch_size=options.batch)
for epoch in range(options.epochs):
    for rows in torch.randperm(EXAMPLES).split(options.batch):
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        run.step(loss=loss)
run.finish()
