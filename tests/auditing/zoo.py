"""Small models as others write them, right ones, and the classic faults, one flag each."""

import math

import torch
import torch.nn.functional as F
from torch import nn

FEATURES = 8


def masked(conv, mask):
    """Hold a convolution's weights under a mask, as a functional mask does."""
    conv.register_buffer("mask", mask)

    def forward(maps):
        return F.conv2d(maps, conv.weight * conv.mask, conv.bias, padding=conv.padding)

    conv.forward = forward
    return conv


def spatial_mask(conv, kind):
    """A mask over positions alone: A hides the centre, B does not."""
    mask = torch.ones_like(conv.weight)
    rows, columns = conv.kernel_size
    mask[:, :, rows // 2, columns // 2 + (kind == "B") :] = 0
    mask[:, :, rows // 2 + 1 :] = 0
    return mask


def conv(kind, ins, outs, kernel=3):
    layer = nn.Conv2d(ins, outs, kernel, padding=kernel // 2)
    return masked(layer, spatial_mask(layer, kind))


def colour_conv(kind, ins, outs, kernel, *, interleaved=True, whole=False, in_contiguous=None):
    """A mask over positions and colours: at the centre a colour sees those before it (B: and itself)."""
    layer = nn.Conv2d(ins, outs, kernel, padding=kernel // 2)
    mask = spatial_mask(layer, "B" if whole else "A")
    if not whole:

        def groups(count, by_turns):
            numbers = torch.arange(count)
            return numbers % 3 if by_turns else numbers * 3 // count

        of_ins = groups(ins, interleaved if in_contiguous is None else not in_contiguous)
        of_outs = groups(outs, interleaved)
        sees = of_ins[None] < of_outs[:, None] if kind == "A" else of_ins[None] <= of_outs[:, None]
        mask[:, :, kernel // 2, kernel // 2] = sees.float()
    return masked(layer, mask)


class Grey(nn.Module):
    """A PixelCNN of grey images, (B, 1, H, W) floats in, (B, K, H, W) logits out."""

    def __init__(self, levels=8, first="A", norm=False, residual_on_first=False):
        super().__init__()
        self.first = conv(first, 1, FEATURES, 5)
        self.second = conv("B", FEATURES, FEATURES)
        self.norm = nn.BatchNorm2d(FEATURES) if norm else nn.Identity()
        self.out = nn.Conv2d(FEATURES, levels, 1)
        self.residual_on_first = residual_on_first

    def forward(self, images):
        maps = self.first(images)
        if self.residual_on_first:
            maps = maps + images
        maps = maps + self.second(F.elu(self.norm(maps)))
        return self.out(F.elu(maps))


class Colour(nn.Module):
    """A PixelCNN of RGB images by modulo-3 masks; outputs (B, K, 3, H, W)."""

    def __init__(self, levels=8, *, reshape="interleaved", first="A", whole=False, reverse=False):
        super().__init__()
        self.levels, self.reshape, self.reverse = levels, reshape, reverse
        self.first = colour_conv(first, 3, 3 * FEATURES, 5, whole=whole)
        self.second = colour_conv("B", 3 * FEATURES, 3 * FEATURES, 3)
        self.out = colour_conv("B", 3 * FEATURES, 3 * levels, 1)

    def forward(self, images):
        maps = self.first(images.flip(1) if self.reverse else images)
        out = self.out(F.elu(maps + self.second(F.elu(maps))))
        batch, _, height, width = out.shape
        if self.reshape == "flat":
            return out
        if self.reshape == "contiguous":  # which does not match the interleaved mask
            return out.view(batch, 3, self.levels, height, width).transpose(1, 2)
        out = out.view(batch, self.levels, 3, height, width)
        return out.flip(2) if self.reverse else out


class Gates(nn.Module):
    """RGB features through a gated layer; wrong: thirds over all four gates, then split into gates."""

    def __init__(self, levels=8, *, aligned=True):
        super().__init__()
        count = 3 * FEATURES
        self.first = colour_conv("A", 3, count, 3, interleaved=False, in_contiguous=True)
        self.gates = colour_conv("B", count, 4 * count, 1, interleaved=False, in_contiguous=True)
        if aligned:
            one = colour_conv("B", count, count, 1, interleaved=False, in_contiguous=True)
            self.gates.mask = one.mask.repeat(4, 1, 1, 1)
        self.out = colour_conv("B", count, 3 * levels, 1, interleaved=False, in_contiguous=True)
        self.levels = levels

    def forward(self, images):
        i, f, o, g = self.gates(self.first(images)).chunk(4, dim=1)
        state = torch.sigmoid(o) * torch.tanh(torch.sigmoid(i) * torch.tanh(g) + f)
        return self.out(state).unflatten(1, (3, self.levels))


def skew(maps):
    batch, features, height, width = maps.shape
    wide = maps.new_zeros(batch, features, height, width + height - 1)
    for row in range(height):
        wide[:, :, row, row : row + width] = maps[:, :, row]
    return wide


def unskew(wide, width):
    rows = [wide[:, :, row, row : row + width] for row in range(wide.shape[2])]
    return torch.stack(rows, dim=2)


class Diagonal(nn.Module):
    """A diagonal recurrence from both sides, on grey images."""

    def __init__(self, levels=8, *, shift_down=True, pad_bottom=False, flip_skewed=False):
        super().__init__()
        self.stem = conv("A", 1, FEATURES, 1 if flip_skewed else 3)
        self.left = nn.Conv2d(1, FEATURES, 1)
        self.enter = nn.ModuleList(nn.Conv2d(FEATURES, FEATURES, 1) for _ in range(2))
        self.state = nn.ModuleList(nn.Linear(2 * FEATURES, FEATURES) for _ in range(2))
        self.out = nn.Conv2d(FEATURES, levels, 1)
        self.shift_down, self.pad_bottom, self.flip_skewed = shift_down, pad_bottom, flip_skewed

    def walk(self, skewed, layer):
        state = skewed.new_zeros(skewed.shape[:3])
        columns = []
        for column in skewed.unbind(dim=3):
            other = (
                F.pad(state, (0, 1))[..., 1:] if self.pad_bottom else F.pad(state, (1, 0))[..., :-1]
            )
            both = torch.cat([state, other], dim=1).transpose(1, 2)
            state = torch.tanh(column + layer(both).transpose(1, 2))
            columns.append(state)
        return torch.stack(columns, dim=3)

    def forward(self, images):
        width = images.shape[3]
        # The pixel to the left, and nothing else: what the recurrence adds is its own.
        maps = self.left(F.pad(images, (1, 0))[..., :-1])
        left = unskew(self.walk(skew(self.enter[0](maps)), self.state[0]), width)
        # From the right the pixel itself is seen, which the shift down puts among the earlier ones.
        maps = self.left(images) if self.shift_down else maps
        entered = self.enter[1](maps)
        if self.flip_skewed:
            right = unskew(self.walk(skew(entered).flip(3), self.state[1]).flip(3), width)
        else:
            right = unskew(self.walk(skew(entered.flip(3)), self.state[1]), width).flip(3)
        if self.shift_down:
            right = F.pad(right, (0, 0, 1, 0))[:, :, :-1]
        return self.out(torch.tanh(left + right))


class BothWays(nn.Module):
    """Called a Diagonal BiLSTM: bidirectional LSTMs over whole rows and whole columns."""

    def __init__(self, levels=8):
        super().__init__()
        self.rows = nn.LSTM(1, FEATURES, bidirectional=True, batch_first=True)
        self.columns = nn.LSTM(2 * FEATURES, FEATURES, bidirectional=True, batch_first=True)
        self.out = nn.Conv2d(2 * FEATURES, levels, 1)

    def forward(self, images):
        batch, _, height, width = images.shape
        rows, _ = self.rows(images.reshape(batch * height, width, 1))
        maps = (
            rows.view(batch, height, width, -1).transpose(1, 2).reshape(batch * width, height, -1)
        )
        columns, _ = self.columns(maps)
        return self.out(columns.view(batch, width, height, -1).permute(0, 3, 2, 1))


class Upwards(nn.Module):
    """Rows scanned from the bottom up, then moved down by one: sees rows below."""

    def __init__(self, levels=8):
        super().__init__()
        self.rows = nn.LSTM(1, FEATURES, batch_first=True)
        self.out = nn.Conv2d(FEATURES, levels, 1)

    def forward(self, images):
        batch, _, height, width = images.shape
        columns = images.flip(2).permute(0, 3, 2, 1).reshape(batch * width, height, 1)
        maps = self.rows(columns)[0].view(batch, width, height, -1).permute(0, 3, 2, 1).flip(2)
        return self.out(F.pad(maps, (0, 0, 1, 0))[:, :, :-1])


class Vertical(nn.Module):
    """A "row" layer whose k x 1 kernel lies along the column: no other column is ever seen."""

    def __init__(self, levels=8):
        super().__init__()
        self.layer = nn.Conv2d(1, FEATURES, (3, 1))
        self.out = nn.Conv2d(FEATURES, levels, 1)

    def forward(self, images):
        return self.out(F.elu(self.layer(F.pad(images, (0, 0, 3, 0))[:, :, :-1])))


class Stacks(nn.Module):
    """Two stacks, as a Gated PixelCNN; wrong: the vertical one is fed with the horizontal one."""

    def __init__(self, levels=8, *, feed_back=False):
        super().__init__()
        self.down = nn.ModuleList([nn.Conv2d(1, FEATURES, (2, 3), padding=(0, 1)),
                                   nn.Conv2d(FEATURES, FEATURES, (2, 3), padding=(0, 1))])  # fmt: skip
        self.along = nn.ModuleList(
            [nn.Conv2d(1, FEATURES, (1, 2)), nn.Conv2d(FEATURES, FEATURES, (1, 2))]
        )
        self.cross = nn.ModuleList(nn.Conv2d(FEATURES, FEATURES, 1) for _ in range(2))
        self.out = nn.Conv2d(FEATURES, levels, 1)
        self.feed_back = feed_back

    def forward(self, images):
        vertical = self.down[0](F.pad(images, (0, 0, 2, 0)))[:, :, :-1]
        horizontal = self.along[0](F.pad(images, (2, 0)))[..., :-1] + self.cross[0](vertical)
        if self.feed_back:
            vertical = vertical + horizontal
        vertical = self.down[1](F.pad(F.elu(vertical), (0, 0, 1, 0)))
        horizontal = self.along[1](F.pad(F.elu(horizontal), (1, 0))) + self.cross[1](vertical)
        return self.out(F.elu(horizontal))


class Transformer(nn.Module):
    """A causal Transformer over sub-pixels, by torch's own layers: int64 (B, C, H, W) in, (B, T, K) out."""

    def __init__(self, shape, levels=8, *, causal=True, shifted=True, width=16):
        super().__init__()
        self.length, self.causal, self.shifted = math.prod(shape), causal, shifted
        self.token = nn.Embedding(levels + 1, width)
        self.place = nn.Parameter(0.1 * torch.randn(self.length, width))
        layer = nn.TransformerEncoderLayer(width, 2, 2 * width, dropout=0.1, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(width, levels)

    def forward(self, images):
        tokens = images.permute(0, 2, 3, 1).flatten(1)
        if self.shifted:
            start = torch.full_like(tokens[:, :1], self.token.num_embeddings - 1)
            tokens = torch.cat([start, tokens[:, :-1]], dim=1)
        mask = nn.Transformer.generate_square_subsequent_mask(self.length)
        maps = self.token(tokens) + self.place
        maps = self.layers(maps, mask=mask, is_causal=True) if self.causal else self.layers(maps)
        return self.out(maps)


class Mixture(nn.Module):
    """Parameters of a mixture of discretised logistics, (B, 10 n, H, W) or (B, 3 n, H, W)."""

    def __init__(self, channels=3, components=2, first="A"):
        super().__init__()
        self.first = conv(first, channels, FEATURES, 5)
        self.out = conv("B", FEATURES, components * (10 if channels == 3 else 3), 3)

    def forward(self, images):
        return self.out(F.elu(self.first(images)))
