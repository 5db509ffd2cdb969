"""A model with two inputs, fed from dictionaries or tuples as a collate function makes them."""

import argparse

import torch
from torch import nn

import stagewatch

parser = argparse.ArgumentParser()
parser.add_argument("--batches", choices=["dictionary", "tuple"], default="dictionary")
parser.add_argument("--train", choices=["tensors", "loader"], default="tensors")
options = parser.parse_args()

torch.manual_seed(0)
numbers, places = torch.randn(96, 6), torch.randint(0, 5, (96,))
labels = ((numbers[:, 0] + 0.5 * (places - 2)) > 0).long()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.places, self.numbers, self.head = nn.Embedding(5, 8), nn.Linear(6, 8), nn.Linear(8, 2)

    def forward(self, numbers, places):
        return self.head(torch.tanh(self.numbers(numbers) + self.places(places)))


def collate(rows):
    chosen = torch.stack(rows)
    if options.batches == "dictionary":
        return {"numbers": numbers[chosen], "places": places[chosen]}, labels[chosen]
    return (numbers[chosen], places[chosen]), labels[chosen]


loader = torch.utils.data.DataLoader(torch.arange(96), batch_size=24, shuffle=True, collate_fn=collate)
inputs = {"numbers": numbers, "places": places} if options.batches == "dictionary" else (numbers, places)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
criterion = nn.CrossEntropyLoss()
train = loader if options.train == "loader" else (inputs, labels)
run = stagewatch.attach(model, optimizer, loss=criterion, train=train, name="two inputs", batch_size=24)
for epoch in range(30):
    for batch, targets in loader:
        optimizer.zero_grad()
        out = model(**batch) if isinstance(batch, dict) else model(*batch)
        loss = criterion(out, targets)
        loss.backward()
        optimizer.step()
        run.step(loss=loss)
run.finish()
