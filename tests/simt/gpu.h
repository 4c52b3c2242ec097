// SPDX-License-Identifier: MIT
// Helpers of the software GPU's tests: a fresh device per test case, arrays, and what a report has to say.
#pragma once

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "simt/simt.h"
#include "simt/xray.h"
#include "tests/catch.h"
#include "tests/simt/kernels.h"

namespace lily::testing {

// Every test case begins and ends with a device as new; faults are kept, and printed if LILY_SIMT_SHOW is
// set.
struct FreshDevice {
    explicit FreshDevice(simt::Xray level = simt::Xray::faults) : before(simt::xray()) {
        simt::reset();
        simt::set_on_fault(std::getenv("LILY_SIMT_SHOW") ? simt::OnFault::report : simt::OnFault::quiet);
        simt::set_xray(level);
    }
    ~FreshDevice() {
        simt::reset();
        simt::choose_gpu("H100");
        simt::set_xray(before);
    }
    FreshDevice(const FreshDevice&) = delete;
    FreshDevice& operator=(const FreshDevice&) = delete;
    simt::Xray before;
};

// Device memory that is freed with the test case.
template <class T>
struct Array {
    explicit Array(size_t count) : count(count) {
        REQUIRE(cudaMalloc(&data, count * sizeof(T)) == cudaSuccess);
    }
    explicit Array(const std::vector<T>& values) : Array(values.size()) {
        REQUIRE(cudaMemcpy(data, values.data(), count * sizeof(T), cudaMemcpyHostToDevice) == cudaSuccess);
    }
    std::vector<T> values() const {
        std::vector<T> result(count);
        (void)cudaDeviceSynchronize();
        INFO(simt::last_report());
        REQUIRE(cudaMemcpy(result.data(), data, count * sizeof(T), cudaMemcpyDeviceToHost) == cudaSuccess);
        return result;
    }
    operator T*() const { return data; }
    size_t count;
    T* data = nullptr;
};

inline std::vector<float> counting(size_t n) {
    std::vector<float> values(n);
    for (size_t i = 0; i < n; ++i) values[i] = static_cast<float>(i % 1000);
    return values;
}

// The lines of a file of tests/simt that end with the comment.
inline std::vector<int> marked_lines(const std::string& name, const std::string& comment) {
    std::ifstream file(LILY_SOURCE_DIR "/tests/simt/" + name);
    std::string line;
    std::vector<int> found;
    for (int number = 1; std::getline(file, line); ++number)
        if (line.ends_with("// " + comment)) found.push_back(number);
    return found;
}

// The line of tests/simt/faults.cu that bears the mark.
inline int marked_line(const std::string& mark) {
    const auto found = marked_lines("faults.cu", "fault: " + mark);
    return found.empty() ? 0 : found[0];
}

inline bool same(uint3 a, uint3 b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

// Exactly one fault so far, of that kind, in that kernel, on its marked line, by that block and thread.
inline void check_fault(simt::FaultKind kind, const std::string& name, uint3 block, uint3 thread) {
    const auto faults = simt::faults();
    REQUIRE(faults.size() == 1);
    const simt::Fault& fault = faults[0];
    INFO(fault.text);
    CHECK(fault.kind == kind);
    CHECK_THAT(fault.kernel, Catch::Matchers::ContainsSubstring(name + "_kernel"));
    CHECK(fault.file.ends_with("tests/simt/faults.cu"));
    CHECK(fault.line == marked_line(name));
    CHECK(same(fault.block, block));
    CHECK(same(fault.thread, thread));
    for (const std::string& part :
         {name + "_kernel", "faults.cu:" + std::to_string(marked_line(name)),
          "block    (" + std::to_string(block.x) + ",", "thread (" + std::to_string(thread.x) + ","})
        CHECK_THAT(fault.text, Catch::Matchers::ContainsSubstring(part));
}

}  // namespace lily::testing
