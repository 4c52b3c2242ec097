# SPDX-License-Identifier: MIT
"""A training step of a plain GAN in JAX, as well as it can be done there on a CPU: the work of benchmarks/gan.cpp.

A program of its own for a Python that has JAX; compare/gan.py starts it:
  gan_jax.py --mode jit --iterations N --threads N --log FILE
Writes CSV rows iteration,seconds,total to --log, and to stdout one line of JSON.

Of advantage to JAX: the whole step is one compiled function, Adam and random numbers too; what it changes is donated; D sees real and
generated pictures as one batch."""

import argparse
import functools
import json
import os
import time

BATCH, LATENT, PIXELS, PICTURES = 64, 64, 784, 2048
RATE, BETA1, BETA2, EPS = 0.002, 0.5, 0.999, 1e-8
D_SIZES, G_SIZES = (PIXELS, 512, 256, 128, 32, 1), (LATENT, 128, 256, 512, PIXELS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["jit"], required=True)
    parser.add_argument("--log", required=True)
    for name in ("--iterations", "--threads"):
        parser.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:arguments.threads])  # XLA takes a thread per core it may use
    os.environ["JAX_PLATFORMS"] = "cpu"
    with open(arguments.log, "w", encoding="ascii") as log:
        train(arguments.iterations, log)
    from peak import memory_figures
    print(json.dumps(memory_figures()))


def train(iterations, log):
    import jax
    from jax import numpy as jnp
    jax.config.update("jax_default_matmul_precision", "highest")  # f32 is f32

    def network(key, sizes):
        """PyTorch's initial weights: uniform within ±1/√inputs."""
        layers = []
        for inputs, outputs in zip(sizes[:-1], sizes[1:]):
            key, of_weight, of_bias = jax.random.split(key, 3)
            bound = inputs ** -0.5
            layers.append((jax.random.uniform(of_weight, (inputs, outputs), minval=-bound, maxval=bound),
                           jax.random.uniform(of_bias, (outputs,), minval=-bound, maxval=bound)))
        return layers

    def forward(layers, x):
        for weight, bias in layers[:-1]:
            x = jax.nn.leaky_relu(x @ weight + bias, 0.2)
        weight, bias = layers[-1]
        return x @ weight + bias

    def generate(g, noise):
        return jnp.tanh(forward(g, noise))

    def cross_entropy(logits, targets):
        return jnp.mean(jnp.maximum(logits, 0) - logits * targets + jnp.log1p(jnp.exp(-jnp.abs(logits))))

    def adam(state, gradients, count):
        rate = RATE * jnp.sqrt(1 - BETA2 ** count) / (1 - BETA1 ** count)
        eps = EPS * jnp.sqrt(1 - BETA2 ** count)

        def update(p, m, v, g):
            m, v = BETA1 * m + (1 - BETA1) * g, BETA2 * v + (1 - BETA2) * g * g
            return p - rate * m / (jnp.sqrt(v) + eps), m, v
        together = jax.tree.map(update, *state, gradients)
        return [jax.tree.map(lambda new, i=i: new[i], together, is_leaf=lambda x: isinstance(x, tuple) and len(x) == 3 and not
                             isinstance(x[0], tuple)) for i in range(3)]

    targets = jnp.concatenate([jnp.ones((BATCH, 1)), jnp.zeros((BATCH, 1))])

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(d_state, g_state, key, count, pictures, first):
        for_d, for_g = jax.random.split(jax.random.fold_in(key, count.astype(int)))
        real = jax.lax.dynamic_slice_in_dim(pictures, first, BATCH)
        fake = generate(g_state[0], jax.random.normal(for_d, (BATCH, LATENT)))
        both = jnp.concatenate([real, fake])
        d_loss, gradients = jax.value_and_grad(lambda d: 2 * cross_entropy(forward(d, both), targets))(d_state[0])
        d_state = adam(d_state, gradients, count)
        noise = jax.random.normal(for_g, (BATCH, LATENT))
        g_loss, gradients = jax.value_and_grad(lambda g: cross_entropy(forward(d_state[0], generate(g, noise)), 1))(g_state[0])
        return d_state, adam(g_state, gradients, count), d_loss + g_loss

    key_d, key_g, key_pictures, key = jax.random.split(jax.random.key(1), 4)
    d, g = network(key_d, D_SIZES), network(key_g, G_SIZES)
    d_state, g_state = ([p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p)] for p in (d, g))
    pictures = jax.random.uniform(key_pictures, (PICTURES, PIXELS), minval=-1, maxval=1)
    log.write("iteration,seconds,total\n")
    began = time.perf_counter()
    for iteration in range(iterations):
        d_state, g_state, total = step(d_state, g_state, key, float(iteration + 1), pictures, iteration * BATCH % PICTURES)
        total = float(total)  # waits for the step
        log.write(f"{iteration + 1},{time.perf_counter() - began:.9f},{total!r}\n")
        log.flush()


if __name__ == "__main__":
    main()
