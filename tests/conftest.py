"""What the whole suite needs."""

import numba


def pytest_configure(config):
    if numba.config.DISABLE_JIT:  # kernels then run as plain NumPy scalars, which warn where compiled code is silent
        config.addinivalue_line("filterwarnings", "ignore::RuntimeWarning")
