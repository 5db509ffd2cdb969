"""The networks of the bench, as PyTorch writes them and as JAX does. Parameters go in and out in the order of PyTorch."""

import math

VOCABULARY, LENGTH, WIDTH, HEADS, LAYERS = 128, 64, 64, 4, 2


def torch_network(name):
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            mask = torch.full((LENGTH, LENGTH), float("-inf")).triu(1)
            self.register_buffer("mask", mask, persistent=False)

        def forward(self, x):
            # Written out: the fused attention has no second derivative.
            q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in self.qkv(x).split(WIDTH, 2))
            weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(WIDTH // HEADS) + self.mask, 3)
            return self.out((weights @ v).transpose(1, 2).flatten(2))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.attention = nn.LayerNorm(WIDTH), Attention()
            self.norm2, self.wide, self.narrow = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

        def forward(self, x):
            x = x + self.attention(self.norm1(x))
            return x + self.narrow(F.gelu(self.wide(self.norm2(x)), approximate="tanh"))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
            self.norm = nn.LayerNorm(WIDTH)

        def forward(self, x):
            h = self.tokens(x) + self.positions.weight
            for block in self.blocks:
                h = block(h)
            return F.linear(self.norm(h), self.tokens.weight)

    class Residual(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1, self.norm1 = nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after)
            self.conv2, self.norm2 = nn.Conv2d(after, after, 3, 1, 1, bias=False), nn.BatchNorm2d(after)
            self.short = nn.Sequential()
            if before != after:
                self.short = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

        def forward(self, x):
            h = F.relu(self.norm1(self.conv1(x)))
            return F.relu(self.norm2(self.conv2(h)) + self.short(x))

    class ResNet18(nn.Module):
        """For pictures of 32 × 32: no pooling in front."""

        def __init__(self):
            super().__init__()
            widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
            self.conv, self.norm = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
            pairs = list(zip(widths, widths[1:]))
            self.blocks = nn.Sequential(*[Residual(a, b, 1 if a == b else 2) for a, b in pairs])
            self.head = nn.Linear(512, 10)

        def forward(self, x):
            return self.head(self.blocks(F.relu(self.norm(self.conv(x)))).mean((2, 3)))

    if name == "resnet18":
        return ResNet18()
    if name == "mlp":
        return nn.Sequential(nn.Linear(3072, 200), nn.Tanh(), nn.Linear(200, 200), nn.Tanh(), nn.Linear(200, 10))
    if name == "convolutions":
        conv = lambda a, b: nn.Conv2d(a, b, 3, padding=1)
        return nn.Sequential(
            conv(3, 32), nn.ReLU(), conv(32, 64), nn.ReLU(), nn.AvgPool2d(2),
            conv(64, 64), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4096, 10),
        )
    return Gpt()


def jax_network(name):
    """Answers f(parameters, x): the same networks, as people write them in JAX."""
    import jax
    import jax.numpy as jnp

    def mlp(p, x):
        h = jnp.tanh(x @ p[0].T + p[1])
        h = jnp.tanh(h @ p[2].T + p[3])
        return h @ p[4].T + p[5]

    def convolutions(p, x):
        def conv(h, w, b):
            h = jax.lax.conv_general_dilated(h, w, (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NCHW"))
            return jax.nn.relu(h + b[:, None, None])

        pool = lambda h: jax.lax.reduce_window(h, 0.0, jax.lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4
        h = pool(conv(conv(x, p[0], p[1]), p[2], p[3]))
        h = pool(conv(h, p[4], p[5]))
        return h.reshape(h.shape[0], -1) @ p[6].T + p[7]

    def norm(h, w, b):
        mean = h.mean(-1, keepdims=True)
        variance = ((h - mean) ** 2).mean(-1, keepdims=True)
        return (h - mean) / jnp.sqrt(variance + 1e-5) * w + b

    def gpt(p, x):
        mask = jnp.triu(jnp.full((LENGTH, LENGTH), -jnp.inf), 1)
        h = p[0][x] + p[1]
        for layer in range(LAYERS):
            w = p[2 + 12 * layer : 14 + 12 * layer]
            qkv = norm(h, w[0], w[1]) @ w[2].T + w[3]
            q, k, v = (part.reshape(*part.shape[:2], HEADS, -1).swapaxes(1, 2) for part in jnp.split(qkv, 3, -1))
            weights = jax.nn.softmax(q @ k.swapaxes(2, 3) / math.sqrt(WIDTH // HEADS) + mask, -1)
            h = h + (weights @ v).swapaxes(1, 2).reshape(h.shape) @ w[4].T + w[5]
            h = h + jax.nn.gelu(norm(h, w[6], w[7]) @ w[8].T + w[9], approximate=True) @ w[10].T + w[11]
        return norm(h, p[-2], p[-1]) @ p[0].T

    return {"mlp": mlp, "convolutions": convolutions, "gpt": gpt}[name]
