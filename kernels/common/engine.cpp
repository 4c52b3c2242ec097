// SPDX-License-Identifier: MIT
#include "kernels/common/engine.h"

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

#include "kernels/common/error.h"

namespace lily::kernels {
namespace {

Engine engine_of_environment() {
    const char* text = std::getenv("LILY_GPU_ENGINE");
    const std::string_view name = text ? text : "rule";
    if (name == "rule") return Engine::rule;
    if (name == "library") return Engine::library;
    if (name == "own") return Engine::own;
    if (name == "measured") return Engine::measured;
    throw Error("LILY_GPU_ENGINE is rule, library, own or measured, not '" + std::string(name) + "'");
}

std::atomic<Engine>& current_engine() {
    static std::atomic<Engine> engine{engine_of_environment()};
    return engine;
}

std::atomic<Precision> current_precision{Precision::f32};

}  // namespace

Engine gpu_engine() { return current_engine(); }
void set_gpu_engine(Engine engine) { current_engine() = engine; }

Precision product_precision() { return current_precision; }
void set_product_precision(Precision precision) { current_precision = precision; }

}  // namespace lily::kernels
