"""What every model is told; with the weights it rebuilds the model."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pixelrnn.arrays import MAX_CHANNELS, MAX_LEVELS
from pixelrnn.graph.conditions import CONDITIONS, MAX_FACTOR, MIN_FACTOR, Condition
from pixelrnn.likelihoods import AnyLikelihoodConfig, LogisticMixtureConfig
from pixelrnn.stepper.asked import MAX_SIDE
from pixelrnn.wording import choice

MAX_PARAMETERS_OF_A_PIXEL = 1 << 16
Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class ConditionConfig(BaseModel):
    """An image that images are given by, and the network that reads it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str = Field(
        default="given",
        description="what is given: its grey levels, it small, it with a hole, or any image, in Python",
        json_schema_extra={"enum": list(CONDITIONS)},
    )
    factor: int = Field(
        default=MIN_FACTOR,
        ge=MIN_FACTOR,
        le=MAX_FACTOR,
        description="small: how many times smaller its sides are",
    )
    channels: int | None = Field(
        default=None, ge=1, le=64, description="given: its colours, by default those of the images"
    )
    features: int = Field(default=16, ge=1, le=1024, description="maps that its network gives")
    layers: int = Field(default=2, ge=1, le=16, description="convolutions of its network")
    kernel_size: int = Field(default=5, ge=1, le=15, description="their kernels, odd")

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        return odd(size)

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in CONDITIONS:
            raise ValueError(f"there is no condition {kind!r}; {choice(kind, CONDITIONS)}")
        return kind

    @model_validator(mode="after")
    def _colours_of_any(self) -> Self:
        if self.channels is not None and self.build().is_made:
            raise ValueError(f"what is {self.kind} has colours of its own: leave channels out")
        return self

    def num_parameters(self, channels: int) -> int:
        """Return the parameters of its network, for images that are given by `channels` colours."""
        area = self.kernel_size**2
        first, later = channels + 1, (self.layers - 1) * self.features
        return self.features * (area * (first + later) + self.layers)

    def build(self) -> Condition:
        """Return what its kind is."""
        return CONDITIONS[self.kind](self.factor, self.channels)


def odd(size: int) -> int:
    """Return `size` if it is odd, or else raise `ValueError`: a kernel needs a centre."""
    if size % 2 == 0:
        raise ValueError(f"a kernel size must be odd, not {size}")
    return size


class ModelConfig(BaseModel):
    """What every model is told; with the weights it rebuilds the model, nothing else needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str = ""
    channels: int = Field(
        default=3,
        ge=1,
        le=MAX_CHANNELS,
        description="colours of a pixel: 1 is grey, 3 RGB, any number that of a stack of maps",
    )
    num_levels: int = Field(default=256, ge=2, le=MAX_LEVELS, description="levels of a sub-pixel")
    likelihood: AnyLikelihoodConfig = Field(default_factory=LogisticMixtureConfig)
    alphabet: Literal["ordinal", "symbols"] = Field(
        default="ordinal",
        description="ordinal: levels in order, such as brightness; symbols: codes, near to no other",
    )
    symbol_features: int = Field(
        default=16, ge=1, le=1024, description="features that a symbol is looked up as"
    )
    image_size: tuple[Side, Side] | None = Field(
        default=None,
        strict=False,
        description="(height, width) of the training images: the default size of samples",
    )

    num_labels: int = Field(
        default=0, ge=0, le=65535, description="classes that an image may be given by; 0: none"
    )
    label_names: tuple[str, ...] = Field(
        default=(), strict=False, description="what the classes are called, if they have names"
    )
    condition: ConditionConfig | None = Field(
        default=None, description="an image that an image may be given by"
    )

    def fewest_parameters(self) -> int:
        """Return a lower bound of the parameters, cheap to compute: no model is built."""
        symbols = self.channels * self.num_levels * self.symbol_features if self.has_symbols else 0
        network = self.condition.num_parameters(self.given_channels) if self.condition else 0
        return symbols + network

    @property
    def has_symbols(self) -> bool:
        """Whether levels have no order."""
        return self.alphabet == "symbols"

    @property
    def input_features(self) -> int:
        """Features that a pixel comes into the network as, beside the border."""
        return self.channels * (self.symbol_features if self.has_symbols else 1)

    @model_validator(mode="after")
    def _symbols_are_predicted_as_such(self) -> Self:
        if not self.has_symbols:
            return self
        if not self.likelihood.build(self.channels, self.num_levels).has_logits:
            raise ValueError(
                f"symbols have no order that {self.likelihood.kind!r} could use: set "
                "model.likelihood.kind to categorical"
            )
        if self.condition:
            raise ValueError("a model of symbols takes no image to condition on, so far")
        return self

    @property
    def given_channels(self) -> int:
        """Colours of the image that an image may be given by; 0 if there is none."""
        return self.condition.build().channels(self.channels) if self.condition else 0

    @property
    def given_is_part(self) -> bool:
        """Whether what is known of it is a part of the image itself."""
        return self.condition is not None and self.condition.build().is_part

    @model_validator(mode="after")
    def _can_be_given(self) -> Self:
        self.given_channels  # noqa: B018 - raises
        return self

    @model_validator(mode="after")
    def _parameters_fit(self) -> Self:
        likelihood = self.likelihood.build(self.channels, self.num_levels)
        if likelihood.groups * likelihood.num_parameters > MAX_PARAMETERS_OF_A_PIXEL:
            raise ValueError(
                f"{self.likelihood.kind} has {likelihood.groups * likelihood.num_parameters:,} parameters "
                f"for a pixel of {self.channels} channels and {self.num_levels:,} levels, more than "
                f"{MAX_PARAMETERS_OF_A_PIXEL:,}: take fewer of either, or logistic-mixture for levels in "
                "order"
            )
        return self

    @model_validator(mode="after")
    def _a_name_for_each_label(self) -> Self:
        if len(self.label_names) not in (0, self.num_labels):
            raise ValueError(f"{len(self.label_names)} names for {self.num_labels} labels")
        return self
