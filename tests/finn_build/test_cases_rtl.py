"""A sample of all kinds of models in the simulated accelerator."""

import cases
import models
import numpy as np
import pytest
from samples import images_of, load
from tiers import every

from finn_build.network import golden

KINDS = {
    "mlp4d_rgb": "dense layers alone, channels first in the file",
    "brev_TFC_1W1A": "bipolar weights and activations",
    "brev_pow2": "power-of-two scales, ties to even, signed pixels",
    "zp_int": "a zero point",
    "avgpool": "a mean that is quantised",
    "avg_rag": "means of windows of 3 x 3",
    "gap": "a global mean before the last layer",
    "gap_conv": "a convolution of global means",
    "depthwise": "groups of one channel",
    "separable": "groups of one channel, strided too, and of two with several rows",
    "groups_1x1": "groups without windows",
    "transpose_hw": "images transposed",
    "keras_nhwc": "channels last",
    "end_bn": "scores of each class",
    "leaky": "a slope below zero, signed codes",
    "requant": "two quantisers around a pool",
    "pool_pad": "maxima of windows that overlap and are padded",
    "skip_signed": "signed codes that are added to sums",
    "skip_dense": "a skip between dense layers",
    "sum_of_codes": "codes that are added to codes",
    "sum_of_digits": "a table of two codes that is none",
    "sum_of_one_scale": "codes of two widths, one of them doubled",
    "sum_of_three": "sums of codes that are read as they are, and added again",
    "difference": "codes that are subtracted",
    "sum_of_products": "the sums of two products",
    "sum_of_dense_products": "sums of a product with an image, and of one with each pixel",
    "skip_wide": "codes of eight bits that are added to sums",
    "up_and_joined": "an image that becomes larger and meets another",
    "up_before_a_quantiser": "an image that becomes larger, and is pooled",
    "values_sum_of_pools": "an odd number of pixels behind units of two at once",
    "values_skip": "what a convolution finds is taken from the image",
    "trunc_difference": "low bits of a difference are dropped",
    "joined_whole": "products with a whole image, joined",
    "values_map": "sums of an image as values",
    "values_codes": "codes as values",
    "values_means": "sums of windows as values",
    "values_one": "a single value",
    "values_dense": "an autoencoder",
    "mean_last": "a convolution of points and the mean of all",
}


@pytest.mark.parametrize("name", every(3, KINDS))
def test_the_accelerator_gives_what_the_golden_model_gives(name, tmp_path):
    assert name in cases.CASES
    _, reading = load(name, tmp_path)
    network = reading.network
    images = images_of(network)[::12]
    expected = golden.run(network, images)
    assert len(np.unique(expected.logits, axis=0)) >= 5
    ran = models.simulate(network, images, tmp_path)
    assert np.array_equal(ran.words, expected.words)
    if network.end.labelled:
        assert np.array_equal(ran.labels, np.argmax(network.values(expected.logits), axis=1))
