"""Warnings of libraries at their import that say nothing to the user."""

import logging
import warnings


def quieten() -> None:
    """Drop them; to be called before the libraries are imported."""
    # Brevitas warns of a package that only its equalisation would use.
    warnings.filterwarnings("ignore", message="fast_hadamard_transform")
    # PyTorch warns of what Brevitas does with the names of dimensions.
    warnings.filterwarnings("ignore", message="Named tensors and all their associated APIs")
    # PyTorch warns where there is a CUDA compiler and no GPU, and that only its extensions need.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
