// SPDX-License-Identifier: MIT
// What the kernels' code calls where an integer overflows or a shift is out of range, if it was compiled with
// -fsanitize=shift,signed-integer-overflow (LILY_SIMT_ARITHMETIC; the tests' kernels always are). The
// sanitizer's own library is not linked.
#include "engine.h"
#include "sanitizer.h"

#if !LILY_SIMT_ASAN  // that one brings its own
namespace simt {
namespace {

// As the compiler lays them out.
struct Place {
    const char* file;
    uint32_t line, column;
};
struct Type {
    uint16_t kind, info;  // kind 0: an integer; info: bit 0 signed, then log2 of the bits
    char name[1];         // in quotes
    unsigned bits() const { return 1u << (info >> 1); }
};
struct Overflow {
    Place place;
    const Type* type;
};
struct Shift {
    Place place;
    const Type *value, *by;
};

// Up to 64 bits stand in the word itself, wider ones behind it.
std::string text(const Type& type, uintptr_t value) {
    if (type.bits() > 64) return "a number";
    const unsigned unused = 64 - type.bits();
    if ((type.info & 1) == 0) return std::to_string(value << unused >> unused);
    return std::to_string(static_cast<int64_t>(value << unused) >> unused);
}

std::string name(const Type& type) { return type.name; }

void report(const Place& place, const std::string& what, const void* site) {
    Worker* worker = t_checked;
    if (worker == nullptr) return;
    const InRuntime runtime;
    worker->fail(FaultKind::arithmetic, cudaErrorLaunchFailure, what,
                 {site, place.file, static_cast<int>(place.line)});
}

void overflow(const Overflow& data, uintptr_t a, const char* operation, uintptr_t b, const void* site) {
    report(data.place,
           "integer overflow: " + text(*data.type, a) + operation + text(*data.type, b) +
               " does not fit into " + name(*data.type),
           site);
}

}  // namespace
}  // namespace simt

#define SITE __builtin_return_address(0)

extern "C" {
void __ubsan_handle_add_overflow(simt::Overflow* data, uintptr_t a, uintptr_t b) {
    simt::overflow(*data, a, " + ", b, SITE);
}
void __ubsan_handle_sub_overflow(simt::Overflow* data, uintptr_t a, uintptr_t b) {
    simt::overflow(*data, a, " - ", b, SITE);
}
void __ubsan_handle_mul_overflow(simt::Overflow* data, uintptr_t a, uintptr_t b) {
    simt::overflow(*data, a, " * ", b, SITE);
}
void __ubsan_handle_divrem_overflow(simt::Overflow* data, uintptr_t a, uintptr_t b) {
    simt::overflow(*data, a, " / ", b, SITE);
}
void __ubsan_handle_negate_overflow(simt::Overflow* data, uintptr_t a) {
    simt::overflow(*data, 0, " - ", a, SITE);
}
void __ubsan_handle_shift_out_of_bounds(simt::Shift* data, uintptr_t value, uintptr_t by) {
    const std::string what = simt::text(*data->value, value) + " shifted by " + simt::text(*data->by, by);
    simt::report(data->place, "a shift out of range: " + what + " in " + simt::name(*data->value), SITE);
}
}
#endif
