"""What every model is told; with the weights it rebuilds the model."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pixelrnn.likelihoods import AnyLikelihoodConfig, LogisticMixtureConfig
from pixelrnn.stepper.asked import MAX_SIDE

Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class ModelConfig(BaseModel):
    """What every model is told; with the weights it rebuilds the model, nothing else needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str = ""
    channels: int = Field(default=3, description="colours of a pixel: 1 (grey) or 3 (RGB)")
    num_levels: int = Field(default=256, ge=2, le=256, description="levels of a sub-pixel")
    likelihood: AnyLikelihoodConfig = Field(default_factory=LogisticMixtureConfig)
    image_size: tuple[Side, Side] | None = Field(
        default=None,
        strict=False,
        description="(height, width) of the training images: the default size of samples",
    )

    def fewest_parameters(self) -> int:
        """Return a lower bound of the parameters, cheap to compute: no model is built."""
        return 0

    @field_validator("channels")
    @classmethod
    def _grey_or_colour(cls, channels: int) -> int:
        if channels not in (1, 3):
            raise ValueError("an image has 1 channel (grey) or 3 (RGB)")
        return channels
