"""A classifier of small images: stripes of two directions in noise. The networks are those that people take."""

import argparse
import json

import torch
from torch import nn

import stagewatch
import truth

parser = argparse.ArgumentParser()
parser.add_argument("--model", default="cnn")
parser.add_argument("--size", type=int, default=16)
parser.add_argument("--examples", type=int, default=128)
parser.add_argument("--batch", type=int, default=32, help="0 is the full batch")
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--optimizer", default="AdamW")
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--uint8", action="store_true", help="images as they are on disk, with the preprocessing in the model")
parser.add_argument("--check", action="store_true")
options = parser.parse_args()

torch.manual_seed(0)
grid = torch.arange(options.size)
labels = torch.arange(options.examples) % 2
stripes = torch.stack([(grid[None, :] // 2 % 2).expand(options.size, -1), (grid[:, None] // 2 % 2).expand(-1, options.size)])
images = stripes[labels].float()[:, None].expand(-1, 3, -1, -1) + 0.7 * torch.randn(options.examples, 3, options.size, options.size)
if options.uint8:
    images = (images.clamp(-2, 3) * 50 + 100).to(torch.uint8)


class Block(nn.Module):
    """A residual block as in ResNet-18."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, x):
        out = torch.relu(self.norm1(self.first(x)))
        return torch.relu(x + self.norm2(self.second(out)))


class Preprocessing(nn.Module):
    def forward(self, x):
        return (x.float() / 255.0 - 0.45) / 0.22


def network():
    if options.model.startswith("timm:"):
        import timm

        sizes = {"img_size": options.size, "patch_size": 8} if "vit" in options.model else {}
        return timm.create_model(options.model[5:], num_classes=2, pretrained=False, **sizes)
    if options.model.startswith("torchvision:"):
        import torchvision

        name = options.model[12:]
        if name == "vit":
            return torchvision.models.VisionTransformer(options.size, 8, 2, 2, 32, 64, num_classes=2)
        return getattr(torchvision.models, name)(weights=None, num_classes=2)
    if options.model == "resnet":
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), Block(8), nn.MaxPool2d(2), Block(8),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2),
        )
    norm = nn.BatchNorm2d if options.model == "cnn" else lambda channels: nn.GroupNorm(2, channels)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), norm(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), norm(16), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2),
    )


model = network()
if options.uint8:
    model = nn.Sequential(Preprocessing(), model)
optimizer = getattr(torch.optim, options.optimizer)(model.parameters(), lr=options.lr)
criterion = nn.CrossEntropyLoss()
batch = options.batch or options.examples


def check(step):
    print(json.dumps({"step": step, "name": "sharpness", "value": truth.sharpness(model, criterion, images, labels)}), flush=True)


run = stagewatch.attach(
    model, optimizer, loss=criterion, train=(images, labels), name="images",
    batch_size=options.batch or None, on_snapshot=check if options.check else None,
)
for epoch in range(options.epochs):
    for rows in torch.randperm(options.examples).split(batch):
        optimizer.zero_grad()
        loss = criterion(model(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        run.step(loss=loss)
run.finish()
