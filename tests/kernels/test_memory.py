"""Memory that is used again: when, how much of it, and that nothing is handed out twice."""

import gc
import threading

import numpy as np
import torch

from pixelrnn.kernels.memory import ALIGNMENT, HELD, Memory

SIZE = (300, 1000)


def place(array):
    return array.ctypes.data


def test_arrays_lie_on_lines_of_the_cache_and_have_the_shape_asked_for():
    memory = Memory()
    for dtype in (np.float32, np.float64):
        array = memory.empty(SIZE, dtype)
        assert (array.shape, array.dtype) == (SIZE, dtype)
        assert place(array) % ALIGNMENT == 0
        array[:] = 1
        assert array.flags.c_contiguous


def test_what_is_in_use_is_not_handed_out_again():
    memory = Memory()
    first, second = memory.empty(SIZE, np.float32), memory.empty(SIZE, np.float32)
    first[:], second[:] = 1, 2
    assert (first == 1).all()


def test_a_view_or_a_tensor_keeps_it_in_use():
    memory = Memory()
    array = memory.empty(SIZE, np.float32)
    array[:] = 3
    tensor, view = torch.from_numpy(array.reshape(-1)), array[10:20]
    at = place(array)
    del array
    gc.collect()
    other = memory.empty(SIZE, np.float32)
    other[:] = 4
    assert place(other) != at
    assert bool((tensor == 3).all())
    assert (view == 3).all()
    del tensor, view
    gc.collect()
    assert place(memory.empty(SIZE, np.float32)) == at


def test_an_array_of_about_the_size_takes_a_waiting_block():
    memory = Memory()
    at = place(memory.empty((1000, 1000), np.uint8))
    assert place(memory.empty((900, 1000), np.uint8)) == at
    assert memory.used_bytes == 0
    half = memory.empty((500, 1000), np.uint8)
    assert place(half) != at


def test_no_more_is_held_than_it_says():
    memory = Memory()
    for rows in (1000, 2000, 3000, 100, 4000, 500, 4500):
        memory.empty((rows, 1000), np.uint8)
        assert memory.used_bytes == 0
        assert memory.waiting_bytes <= HELD * memory.most_used_bytes


def test_small_arrays_are_left_to_the_system():
    memory = Memory()
    memory.empty((10,), np.float32)
    assert memory.most_used_bytes == 0


def test_threads_may_take_and_leave_at_the_same_time():
    memory, wrong = Memory(), []

    def work(number):
        for _ in range(200):
            array = memory.empty(SIZE, np.int32)
            array[:] = number
            if (array != number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert memory.used_bytes == 0
