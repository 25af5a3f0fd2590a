"""The exponential that the loop uses, against the library's."""

import numpy as np
from numba import njit

from pixelrnn.kernels.elementary import exponential, sigmoid, tanh


@njit(fastmath={"contract"}, error_model="numpy")
def of_all(numbers):
    results = np.zeros((3, len(numbers)))
    for n in range(len(numbers)):
        x = numbers[n]
        results[0, n], results[1, n], results[2, n] = exponential(x), sigmoid(x), tanh(x)
    return results


def test_exponential_to_the_last_bits():
    numbers = np.concatenate([np.linspace(-708, 709, 20_001), np.linspace(-2, 2, 20_001)])
    np.testing.assert_allclose(of_all(numbers)[0], np.exp(numbers), rtol=5e-16)


def test_sigmoid_and_tanh_to_1e_15():
    numbers = np.linspace(-50, 50, 20_001)
    _, sigmoids, tanhs = of_all(numbers)
    np.testing.assert_allclose(sigmoids, 1 / (1 + np.exp(-numbers)), rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(tanhs, np.tanh(numbers), rtol=0, atol=1e-15)


def test_far_out_they_stay_finite_and_right():
    exponentials, sigmoids, tanhs = of_all(np.array([-1e300, -np.inf, 1e300, np.inf]))
    assert (exponentials[:2] < 1e-300).all()
    assert (exponentials[2:] > 1e300).all()
    np.testing.assert_allclose(sigmoids, [0, 0, 1, 1], atol=1e-15)
    np.testing.assert_allclose(tanhs, [-1, -1, 1, 1], atol=1e-15)


def test_nan_stays_nan():
    """Clamping must not hide it, or a program could read what was never written."""
    for numbers in (np.array([np.nan]), np.full(64, np.nan)):
        assert np.isnan(of_all(numbers)).all()
