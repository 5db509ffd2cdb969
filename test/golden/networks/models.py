"""Small versions of the architectures that people train: what make.py exports. Nothing here is random but the structure."""

import torch
from torch import nn
from torch.nn import functional as F


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(12, 16)
        self.fc2 = nn.Linear(16, 10)
        self.fc3 = nn.Linear(10, 5)

    def forward(self, x):
        return self.fc3(torch.tanh(self.fc2(F.gelu(self.fc1(x)))))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, padding=2)
        self.conv2 = nn.Conv2d(4, 8, 5)
        self.fc1 = nn.Linear(8 * 2 * 2, 20)
        self.fc2 = nn.Linear(20, 16)
        self.fc3 = nn.Linear(16, 5)

    def forward(self, x):
        x = F.avg_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.avg_pool2d(torch.sigmoid(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        return self.fc3(torch.tanh(self.fc2(torch.tanh(self.fc1(x)))))


class Vgg(nn.Module):
    """Two blocks of two convolutions and a max pool, as VGG has them, with or without batch normalisation."""

    def __init__(self, norm):
        super().__init__()
        layers, channels = [], 3
        for width in (6, 8):
            for _ in range(2):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not norm))
                if norm:
                    layers.append(nn.BatchNorm2d(width))
                layers.append(nn.ReLU(inplace=True))
                channels = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d((2, 2))
        self.classifier = nn.Sequential(nn.Linear(8 * 4, 12), nn.ReLU(True), nn.Dropout(0.0), nn.Linear(12, 5))

    def forward(self, x):
        return self.classifier(torch.flatten(self.pool(self.features(x)), 1))


def conv3(a, b, stride=1):
    return nn.Conv2d(a, b, 3, stride, 1, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.conv1, self.bn1 = conv3(a, b, stride), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = conv3(b, b), nn.BatchNorm2d(b)
        self.shortcut = None
        if stride != 1 or a != b:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b))

    def forward(self, x):
        out = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(out + (x if self.shortcut is None else self.shortcut(x)))


class ResNet18(nn.Module):
    """ResNet-18 for 32×32: a 3×3 stem without pooling, stages of two blocks."""

    def __init__(self, width=64, classes=10):
        super().__init__()
        self.conv1, self.bn1 = conv3(3, width), nn.BatchNorm2d(width)
        stages, channels = [], width
        for i in range(4):
            stages += [BasicBlock(channels, width * 2**i, 1 if i == 0 else 2), BasicBlock(width * 2**i, width * 2**i, 1)]
            channels = width * 2**i
        self.stages = nn.Sequential(*stages)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.stages(torch.relu(self.bn1(self.conv1(x))))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class InvertedResidual(nn.Module):
    """MobileNet-V2's block: wider by a 1×1 convolution, depthwise 3×3, narrower again."""

    def __init__(self, a, b, stride, ratio):
        super().__init__()
        hidden = a * ratio
        self.residual = stride == 1 and a == b
        self.conv = nn.Sequential(
            nn.Conv2d(a, hidden, 1, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, hidden, 3, stride, 1, groups=hidden, bias=False),
            nn.BatchNorm2d(hidden),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, b, 1, bias=False),
            nn.BatchNorm2d(b),
        )

    def forward(self, x):
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU6(inplace=True))
        self.blocks = nn.Sequential(InvertedResidual(4, 4, 1, 3), InvertedResidual(4, 6, 2, 4), InvertedResidual(6, 6, 1, 4))
        self.classifier = nn.Linear(6, 5)

    def forward(self, x):
        return self.classifier(self.blocks(self.stem(x)).mean([2, 3]))


class Gated(nn.Module):
    """MobileNet-V3's block: hard-swish, and channels weighed by a hard sigmoid of their means."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, 2, 1)
        self.depthwise, self.norm = nn.Conv2d(6, 6, 3, 1, 1, groups=6, bias=False), nn.BatchNorm2d(6)
        self.narrow, self.wide = nn.Conv2d(6, 2, 1), nn.Conv2d(2, 6, 1)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = F.hardswish(self.stem(x))
        out = F.hardswish(self.norm(self.depthwise(x)))
        weights = F.hardsigmoid(self.wide(torch.relu(self.narrow(F.adaptive_avg_pool2d(out, 1)))))
        return self.head((x + out * weights).mean([2, 3]))


class ConvNeXtBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.wide = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        self.scale = nn.Parameter(torch.ones(width, 1, 1))

    def forward(self, x):
        out = self.depthwise(x).permute(0, 2, 3, 1)
        out = self.narrow(F.gelu(self.wide(self.norm(out)))).permute(0, 3, 1, 2)
        return x + self.scale * out


class ConvNeXt(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 2, 2)
        self.block1 = ConvNeXtBlock(6)
        self.block2 = ConvNeXtBlock(6)
        self.norm = nn.LayerNorm(6, eps=1e-6)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.norm(self.block2(self.block1(self.patches(x))).mean([-2, -1])))


class ViT(nn.Module):
    """Patches, a class token, learned positions, and PyTorch's own encoder layers with norms in front."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 12, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 12))
        self.positions = nn.Parameter(torch.zeros(1, 5, 12))
        layer = dict(d_model=12, nhead=3, dim_feedforward=24, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(**layer) for _ in range(2)])
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])


class Attention(nn.Module):
    def __init__(self, width, heads, length, written_out):
        super().__init__()
        self.heads, self.written_out = heads, written_out
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        if written_out:
            self.register_buffer("mask", torch.tril(torch.ones(length, length)).view(1, 1, length, length))

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = (part.view(b, t, self.heads, c // self.heads).transpose(1, 2) for part in self.qkv(x).split(c, dim=2))
        if self.written_out:
            scores = (q @ k.transpose(-2, -1)) * (1.0 / (c // self.heads) ** 0.5)
            scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
            out = F.softmax(scores, dim=-1) @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(out.transpose(1, 2).contiguous().view(b, t, c))


class GptBlock(nn.Module):
    def __init__(self, width, heads, length, written_out):
        super().__init__()
        self.ln1, self.attention = nn.LayerNorm(width), Attention(width, heads, length, written_out)
        self.ln2, self.wide, self.narrow = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.ln1(x))
        return x + self.narrow(F.gelu(self.wide(self.ln2(x)), approximate="tanh"))


class Gpt(nn.Module):
    """GPT-2: the token embedding is the output layer too. The causal mask is written out, or left to PyTorch's attention."""

    def __init__(self, written_out=True, vocabulary=11, length=6, width=12, heads=3, layers=2):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList([GptBlock(width, heads, length, written_out) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x):
        positions = torch.arange(x.shape[1], device=x.device)
        h = self.tokens(x) + self.positions(positions)
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


class Recurrent(nn.Module):
    """A recurrent layer over a sequence, and a classifier on the state after the last step."""

    def __init__(self, kind, **options):
        super().__init__()
        self.rnn = getattr(nn, kind)(4, 5, batch_first=True, **options)
        self.head = nn.Linear(5 * (2 if options.get("bidirectional") else 1), 3)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[:, -1])


class LastState(nn.Module):
    """As `Recurrent`, with the state that the layer hands on."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 5, num_layers=2, batch_first=True)
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        _, (h, c) = self.rnn(x)
        return self.head(torch.cat([h[-1], c[-1]], dim=1))


class Norms(nn.Module):
    """The normalisations that are not in the networks above."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 6, 3, padding=1)
        self.group = nn.GroupNorm(3, 6)
        self.conv2 = nn.Conv2d(6, 4, 3, padding=1)
        self.instance = nn.InstanceNorm2d(4, affine=True)
        self.scale = nn.Parameter(torch.ones(4))
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.tanh(self.group(self.conv1(x)))
        x = torch.tanh(self.instance(self.conv2(x)))
        x = F.normalize(x.amax([2, 3]) + x.mean([2, 3]), dim=1)
        return self.head(x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.scale)
