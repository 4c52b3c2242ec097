# SPDX-License-Identifier: MIT
"""A training step of a plain GAN in TensorFlow, as well as it can be done there on a CPU: the work of benchmarks/gan.cpp.

A program of its own for a Python that has TensorFlow; compare/gan.py starts it:
  gan_tensorflow.py --mode function|xla --iterations N --threads N --log FILE
Writes CSV rows iteration,seconds,total to --log, and to stdout one line of JSON.

Of advantage to TensorFlow: the whole step is one tf.function, compiled by XLA in the mode xla; Adam is its fused operation, one per
parameter; D sees real and generated pictures as one batch."""

import argparse
import json
import os
import time

BATCH, LATENT, PIXELS, PICTURES = 64, 64, 784, 2048
RATE, BETA1, BETA2, EPS = 0.002, 0.5, 0.999, 1e-8
D_SIZES, G_SIZES = (PIXELS, 512, 256, 128, 32, 1), (LATENT, 128, 256, 512, PIXELS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["function", "xla"], required=True)
    parser.add_argument("--log", required=True)
    for name in ("--iterations", "--threads"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:arguments.threads])  # XLA takes a thread per core it may use
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with open(arguments.log, "w", encoding="ascii") as log:
        train(arguments, log)
    from peak import memory_figures
    print(json.dumps(memory_figures()))


def train(arguments, log):
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_tensor_float_32_execution(False)  # f32 is f32
    tf.random.set_seed(1)

    class Player:
        def __init__(self, sizes):
            """PyTorch's initial weights: uniform within ±1/√inputs."""
            self.parameters = []
            for inputs, outputs in zip(sizes[:-1], sizes[1:]):
                bound = inputs ** -0.5
                self.parameters += [tf.Variable(tf.random.uniform(shape, -bound, bound)) for shape in ((inputs, outputs), (outputs,))]
            self.moments = [(tf.Variable(tf.zeros_like(p)), tf.Variable(tf.zeros_like(p))) for p in self.parameters]
            self.powers = tf.Variable(BETA1), tf.Variable(BETA2)

        def forward(self, x):
            last = len(self.parameters) - 2
            for i in range(0, last + 2, 2):
                x = tf.matmul(x, self.parameters[i]) + self.parameters[i + 1]
                if i < last:
                    x = tf.nn.leaky_relu(x, 0.2)
            return x

        def update(self, gradients):
            power1, power2 = self.powers
            for p, (m, v), gradient in zip(self.parameters, self.moments, gradients):
                tf.raw_ops.ResourceApplyAdam(var=p.handle, m=m.handle, v=v.handle, beta1_power=power1, beta2_power=power2, lr=RATE,
                                             beta1=BETA1, beta2=BETA2, epsilon=EPS, grad=gradient)
            power1.assign(power1 * BETA1)
            power2.assign(power2 * BETA2)

    d, g = Player(D_SIZES), Player(G_SIZES)
    pictures = tf.random.uniform((PICTURES, PIXELS), -1, 1)
    targets = tf.concat([tf.ones((BATCH, 1)), tf.zeros((BATCH, 1))], 0)
    ones = tf.ones((BATCH, 1))

    def cross_entropy(logits, wanted):
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=wanted, logits=logits))

    def noise(seed):
        return tf.random.stateless_normal((BATCH, LATENT), seed)

    @tf.function(jit_compile=arguments.mode == "xla")
    def step(real, iteration):
        both = tf.concat([real, tf.tanh(g.forward(noise([iteration, 0])))], 0)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(d.parameters)
            d_loss = 2 * cross_entropy(d.forward(both), targets)
        d.update(tape.gradient(d_loss, d.parameters))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(g.parameters)
            g_loss = cross_entropy(d.forward(tf.tanh(g.forward(noise([iteration, 1])))), ones)
        g.update(tape.gradient(g_loss, g.parameters))
        return d_loss + g_loss

    batches = [pictures[first:first + BATCH] for first in range(0, PICTURES, BATCH)]
    log.write("iteration,seconds,total\n")
    began = time.perf_counter()
    for iteration in range(arguments.iterations):
        total = float(step(batches[iteration % len(batches)], tf.constant(iteration)))
        log.write(f"{iteration + 1},{time.perf_counter() - began:.9f},{total!r}\n")
        log.flush()


if __name__ == "__main__":
    main()
