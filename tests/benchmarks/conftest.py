"""The models and likelihoods that are written in plain operations, to be measured against."""

import pytest


@pytest.fixture(params=["pixelcnn", "row-lstm", "diagonal-bilstm"])
def kind(request):
    """Each of the models that have a plain version, in turn."""
    return request.param


@pytest.fixture(params=["categorical", "logistic-mixture"])
def likelihood(request):
    """Each of the likelihoods that have a plain version, in turn."""
    return request.param
