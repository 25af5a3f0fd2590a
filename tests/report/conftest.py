"""Synthetic run folders with every file that the report reads, consistent with one another."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RECIPE = """\
[model]
name = "{kind}"
features = 32
likelihood = "categorical"

[data]
source = "{data}"

[training]
seed = 7
batch_size = 32

[optimizer]
name = "adam"
learning_rate = 0.004
"""
MODELS = {  # slug: label, excess bits/dim, parameters, half-width of what it sees per row above
    "pixelcnn": ("PixelCNN", 0.00, 43_072, 1),
    "row-lstm": ("Row LSTM", 0.06, 42_114, 2),
    "diagonal-bilstm": ("Diagonal BiLSTM", 0.03, 30_240, 99),
}


@dataclass
class RunMaker:
    """Writes run folders about one synthetic data set."""

    data: str = "digits"
    image_shape: tuple[int, int, int] = (1, 8, 8)
    num_levels: int = 17
    num_images: int = 60
    base_bits_per_dim: float = 2.05
    seed: int = 0
    images: Any = None
    file_images: int | None = None
    baselines: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": "uniform", "test_bits_per_dim": 4.0875, "note": "every level alike"},
            {"name": "histogram", "test_bits_per_dim": 2.6123, "note": "of each position"},
            {"name": "PNG", "test_bits_per_dim": 10.3012, "note": "one file an image"},
            {"name": "WebP lossless", "test_bits_per_dim": 6.2301, "note": "one file an image"},
            {"name": "JPEG XL", "test_bits_per_dim": 5.1099, "note": "one file an image"},
        ]
    )

    def run(self, folder: Path, model: str = "pixelcnn", **changes: Any) -> Path:
        """Write one run folder; `changes` overrides keys of result.json (`None` removes)."""
        label, excess, parameters, reach = MODELS[model]
        evaluated, drawn = changes.pop("evaluated", True), changes.pop("drawn", True)
        as_file = changes.pop("as_file", True)
        folder.mkdir(parents=True)
        per_image = self._per_image(model, excess)
        bits_map = self._bits_map(model, float(per_image.mean()))
        mean = float(per_image.mean())
        result: dict[str, Any] = {
            "format_version": 1,
            "name": f"{self.data}-{model}",
            "label": label,
            "data": self.data,
            "data_options": {},
            "split": "test",
            "data_sha256": {
                split: f"{self.seed:02x}{code}" * 16
                for split, code in (("train", "a1"), ("validation", "b2"), ("test", "c3"))
            },
            "image_shape": list(self.image_shape),
            "num_levels": self.num_levels,
            "ema": True,
            "parameters": parameters,
            "image_presentations": 67_500,
            "images_per_second": 812.3 - 2000 * excess,
            "minutes": 1.23 + 9 * excess,
            "peak_memory_mb": 512.4,
            "finished": True,
            "train_bits_per_dim": mean - 0.05,
            "train_num_images": 1350,
            "validation_bits_per_dim": mean + 0.01,
            "validation_num_images": 150,
            "command": f"pixelrnn compare {self.data}",
        }
        if evaluated:
            dims = math.prod(self.image_shape)
            result |= {
                "num_images": self.num_images,
                "test_bits_per_dim": mean,
                "test_bits_per_dim_standard_error": float(
                    per_image.std(ddof=1) / math.sqrt(self.num_images)
                ),
                "test_nats_per_image": mean * dims * math.log(2),
                "test_bits_per_dim_by_channel": bits_map.mean(axis=(1, 2)).tolist(),
                "images_per_second_evaluating": 3000.0,
                "baselines": self.baselines,
            }
            self._write_evaluation(folder, per_image, bits_map, reach)
            if drawn:
                result |= {"seconds_per_sample": 0.01234, "hidden_half_bits_per_dim": mean - 0.2}
                self._write_samples(folder, model)
            if as_file:
                result |= self._as_file(per_image)
        for key, value in changes.items():
            if value is None:
                result.pop(key)
            else:
                result[key] = value
        (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
        (folder / "recipe.toml").write_text(RECIPE.format(kind=model, data=self.data))
        (folder / "metrics.csv").write_text(self._metrics(mean))
        environment = {
            "python": "3.12.4",
            "platform": "Linux-6.1-x86_64",
            "processor": "Some Processor 5000",
            "threads": 2,
            "packages": {"torch": "2.6.0", "lightning-fabric": "2.6.1", "numpy": "2.1.0"},
            "git_commit": "0123456789abcdef0123456789abcdef01234567",
            "started": "2025-01-02T03:04:05+00:00",
        }
        (folder / "environment.json").write_text(json.dumps(environment))
        return folder

    def runs(self, folder: Path, **changes: Any) -> list[Path]:
        """Write the three models as `compare` would."""
        return [self.run(folder / model, model, **changes) for model in MODELS]

    def _as_file(self, per_image: np.ndarray) -> dict[str, float]:
        """Return what all images, or the first `file_images`, would need as a file."""
        measured = per_image[: self.file_images]
        dims = len(measured) * math.prod(self.image_shape)
        message_bytes = math.ceil((measured.mean() + 0.03) * dims / 8)
        file_bytes = message_bytes + 5 * len(measured) + 60
        return {
            "file_num_images": len(measured),
            "float_bits_per_dim": measured.mean(),
            "integer_bits_per_dim": measured.mean() + 0.0007,
            "message_bits_per_dim": 8 * message_bytes / dims,
            "file_bits_per_dim": 8 * file_bytes / dims,
            "file_bytes": file_bytes,
            "seconds_per_image_compressing": 0.0004,
        }

    def _generator(self, model: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, list(MODELS).index(model)])

    def _per_image(self, model: str, excess: float) -> np.ndarray:
        shared = np.random.default_rng(self.seed).normal(0, 0.2, self.num_images)
        own = self._generator(model).normal(0, 0.03, self.num_images)
        return self.base_bits_per_dim + excess + shared + own

    def _bits_map(self, model: str, mean: float) -> np.ndarray:
        channels, height, width = self.image_shape
        rows, columns = np.mgrid[:height, :width]
        bump = np.exp(
            -(((rows / height - 0.5) / 0.35) ** 2 + ((columns / width - 0.5) / 0.25) ** 2)
        )
        noise = self._generator(model).uniform(0.9, 1.1, (channels, height, width))
        bits = (0.15 + bump) * noise * np.linspace(1.3, 0.7, channels)[:, None, None]
        bits[:, 0, 0] *= 4
        return bits * (mean / bits.mean())

    def _write_evaluation(
        self, folder: Path, per_image: np.ndarray, bits_map: np.ndarray, reach: int
    ) -> None:
        channels, height, width = self.image_shape
        row, column = height // 2, width // 2
        rows, columns = np.mgrid[:height, :width]
        above = (rows < row) & (abs(columns - column) <= reach * (row - rows))
        field_ = np.repeat((above | ((rows == row) & (columns < column)))[None], channels, axis=0)
        field_[: channels - 1, row, column] = True
        images = self.images
        if images is None:
            images = np.random.default_rng(self.seed).integers(
                0, self.num_levels, (self.num_images, *self.image_shape), dtype=np.uint8
            )
        order = np.argsort(per_image)
        arrays = {
            "bits_per_dim_per_image": per_image,
            "bits_map": bits_map,
            "receptive_field": field_,
            "receptive_field_at": np.array([row, column, channels - 1]),
        }
        for kind, chosen in (("easiest", order[:8]), ("hardest", order[::-1][:8])):
            arrays[f"{kind}_images"] = images[chosen]
            arrays[f"{kind}_bits_per_dim"] = per_image[chosen]
            arrays[f"{kind}_indices"] = chosen
        np.savez(folder / "evaluation.npz", **arrays)

    def _write_samples(self, folder: Path, model: str) -> None:
        _, height, width = self.image_shape
        generator = self._generator(model)
        known = np.zeros((height, width), bool)
        known[: height // 2] = True

        def draw(*count: int) -> np.ndarray:
            shape = (*count, *self.image_shape)
            return generator.integers(0, self.num_levels, shape, dtype=np.uint8)

        np.savez(
            folder / "samples.npz",
            seed=np.array(0),
            samples=draw(32),
            known=known,
            completed_images=draw(4),
            completed_indices=np.array([0, 15, 30, 45]),
            completions=draw(4, 3),
            hidden_bits_per_dim=np.full(4, 1.5),
        )

    def _metrics(self, mean: float) -> str:
        lines = [
            "step,image_presentations,minutes,learning_rate,"
            "train_bits_per_dim,validation_bits_per_dim,images_per_second"
        ]
        generator = np.random.default_rng(self.seed)
        for step in range(10, 2111, 10):
            done = step * 32
            fall = 2.0 * math.exp(-done / 1200) + 0.6 * math.exp(-done / 12000)
            train = mean - 0.05 + fall + generator.normal(0, 0.04)
            validation = f"{mean + 0.01 + fall:.6f}" if step % 42 == 0 else ""
            lines.append(f"{step},{done},{step / 1000:.3f},0.004,{train:.6f},{validation},812.3")
        return "\n".join(lines) + "\n"


@pytest.fixture
def digits() -> RunMaker:
    return RunMaker()


@pytest.fixture
def colour() -> RunMaker:
    return RunMaker(
        data="photos",
        image_shape=(3, 5, 7),
        num_levels=256,
        base_bits_per_dim=3.9,
        seed=1,
        baselines=[
            {"name": "uniform", "test_bits_per_dim": 8.0, "note": ""},
            {"name": "JPEG XL", "test_bits_per_dim": 4.13, "note": "effort 9"},
        ],
    )
