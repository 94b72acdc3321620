"""Models as others make them: every kind of graph that was trouble, and what becomes of it.

All must be built, so that the golden model gives what qonnx's own execution gives, but for those in
`REFUSED`: they are refused with a message in which their text is found.
"""

import broken
import case_branches
import case_exports
import case_layers
import case_networks
import case_upsampling
import case_values

CASES = (
    case_layers.CASES
    | case_networks.CASES
    | case_branches.CASES
    | case_upsampling.CASES
    | case_values.CASES
    | case_exports.CASES
    | broken.CASES
)
PIXEL_MAX = {"brev_TFC_1W1A": 1.0, "brev_pow2": 1.0, "qcdq": 1.0}
REFUSED = broken.REFUSED | {
    "act_perchan": r"Conv.*scales of its input differ from channel to channel.*use one scale",
    "auto_pad_dilated": r"Conv.*auto_pad SAME_UPPER with dilations; write its paddings as pads",
    "avg_heavy": r"MatMul.*weights of 11 bits on activations of 15; use at most 9",
    "avg_pad_less": r"AveragePool.*count_include_pad is 0.*set it to 1",
    "avg_wide": r"MatMul.*reads a mean .*more than 16 bits; quantise the mean",
    "avg_over_bare": r"MatMul.*reads a mean whose windows overlap.*quantise the mean",
    "bits_w2a12u": r"Conv.*activations of 12 bits; use at most 8",
    "channels_last_other": r"AveragePool.*channels_last only BatchNormalization, Conv, MaxPool",
    "end_sigmoid": r"'Sigmoid_\d+' \(Sigmoid\).*leave it out; the label is the same",
    "float_first": r"Conv.*put a quantiser \(Quant\) on them",
    "float_last": r"MatMul.*put a quantiser \(Quant\) on them",
    "float_net": r"Conv.*put a quantiser \(Quant\) on them",
    "mean_axes": r"ReduceMean.*axes \[\]; want some of 1 to 3",
    "mean_channels": r"ReduceMean.*takes means over batch or channels",
    "no_quant": r"Conv.*values that are not quantised \(after .*'Relu_\d+'.*put a quantiser",
    "sum_of_uneven_codes": r"Add.*5 and 5 bits whose scales are not whole.*use at most 4 bits",
    "sum_of_uneven_products": r"Add.*two products whose scales are not whole multiples",
    "sum_of_negated_products": r"scales a sum of two branches by less than zero",
    "sum_that_is_wide": r"quantises codes of 15 bits again; use at most 12",
    "skip_of_uneven_scale": r"Add.*codes of 8 bits to a product.*use at most 5 bits",
    "pad_max_signed": r"MaxPool.*numbers below zero in it; pad within the pool",
    "slice_back": r"Slice.*takes range\(7, -1, -1\) of dimension 2",
    "softmax_of_rows": r"Softmax.*over dimension 2 of .*does not hold all classes",
    "trunc_far": r"Trunc.*drops \[\d+\] bits; use one number of at most 24",
    "trunc_parts": r"Trunc.*its output bit width \[3.5\] is not one whole number",
    "trunc_weights": r"Trunc.*truncates constants; use Quant",
    "qcdq": r"DequantizeLinear.*QCDQ export; export as QONNX",
    "sum_too_wide": r"Add.*gives sums of 26 bits; use at most 24",
    "trunc_to_nothing": r"a quantiser gives a single level",
    "up_linear": r"Resize.*mode 'linear' computes pixels between others; use nearest",
    "up_half": r"Resize.*scales \[1.0, 1.0, 2.0, 1.5\].*whole numbers of 1 to 64",
    "up_channels": r"Resize.*repeats something other than rows and columns",
    "up_uneven": r"Resize.*does not repeat every pixel equally often",
}
