# SPDX-License-Identifier: MIT
"""StyleGAN's pictures in TensorFlow: the work "pictures" of benchmarks/stylegan_step.cpp, as stylegan_pytorch.py has it.

A program of its own for a Python that has TensorFlow; compare/stylegan.py starts it:
  stylegan_tensorflow.py --mode xla --work pictures --iterations N --threads N --log FILE
Writes CSV rows iteration,seconds,total to --log, and to stdout one line of JSON.

Of advantage to TensorFlow: everything is one function compiled by XLA; maps are NHWC; weights are constants, so that the equalised
scale costs nothing; pictures are made as one batch."""

import argparse
import json
import math
import os
import time

SAMPLES, LATENT, PSI, SLOPE = 64, 128, 0.7, 0.2
FEATURES = (128, 128, 64, 32)  # at 4², 8², 16², 32²


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["xla"], required=True)
    parser.add_argument("--work", choices=["pictures"], required=True)
    parser.add_argument("--log", required=True)
    for name in ("--iterations", "--threads"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:arguments.threads])  # XLA takes a thread per core it may use
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with open(arguments.log, "w", encoding="ascii") as log:
        make(arguments, log)
    from peak import memory_figures
    print(json.dumps(memory_figures()))


def make(arguments, log):
    import numpy as np
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)  # f32 is f32
    rng = np.random.default_rng(1)

    def weight(*shape, gain=math.sqrt(2)):
        return tf.constant(rng.normal(0, gain / math.sqrt(math.prod(shape[:-1])), shape), tf.float32)

    mapping = [weight(LATENT, LATENT) for _ in range(8)]
    convs = [weight(3, 3, c, c) for c in FEATURES]
    ups = [weight(3, 3, before, after) for before, after in zip(FEATURES[:-1], FEATURES[1:])]
    styles = [weight(LATENT, 2 * c, gain=1) for c in FEATURES for _ in range(2)]
    noises = [tf.zeros((c,)) for c in FEATURES for _ in range(2)]
    biases = [tf.zeros((c,)) for c in FEATURES for _ in range(2)]
    to_rgb = weight(1, 1, FEATURES[-1], 3, gain=1)
    f = np.outer([1, 2, 1], [1, 2, 1]) / 16
    blurs = [tf.constant(np.tile(f[:, :, None, None], (1, 1, c, 1)), tf.float32) for c in FEATURES[1:]]
    const = tf.ones((SAMPLES, 4, 4, FEATURES[0]))
    average = tf.zeros((1, LATENT))

    def epilogue(x, w, i, seed):
        side = x.shape[1]
        x = x + tf.random.stateless_normal((SAMPLES, side, side, 1), [seed, i + 1]) * noises[i] + biases[i]
        x = tf.nn.leaky_relu(x, SLOPE)
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        scale, bias = tf.split((w @ styles[i])[:, None, None], 2, axis=3)
        return (x - mean) * (tf.math.rsqrt(variance + 1e-8) * (scale + 1)) + bias

    @tf.function(jit_compile=True)
    def pictures(seed):
        w = tf.random.stateless_normal((SAMPLES, LATENT), [seed, 0])
        w = w * tf.math.rsqrt(tf.reduce_mean(w * w, 1, keepdims=True) + 1e-8)
        for layer in mapping:
            w = tf.nn.leaky_relu(w @ layer, SLOPE)
        w = average + PSI * (w - average)
        x = const
        for i in range(len(FEATURES)):
            if i > 0:
                x = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
                x = tf.nn.conv2d(x, ups[i - 1], 1, "SAME")
                x = tf.nn.depthwise_conv2d(x, blurs[i - 1], (1, 1, 1, 1), "SAME")
            x = epilogue(x, w, 2 * i, seed)
            x = epilogue(tf.nn.conv2d(x, convs[i], 1, "SAME"), w, 2 * i + 1, seed)
        made = tf.nn.conv2d(x, to_rgb, 1, "SAME")
        return made, tf.reduce_mean(made * made)

    log.write("iteration,seconds,total\n")
    began = time.perf_counter()
    for iteration in range(arguments.iterations):
        total = float(pictures(tf.constant(iteration))[1])
        log.write(f"{iteration + 1},{time.perf_counter() - began:.9f},{total!r}\n")
        log.flush()


if __name__ == "__main__":
    main()
