// SPDX-License-Identifier: MIT
// Races between the work of two streams: kernels, copies, fills, libraries. Each is reported with both
// accesses; with an event, a wait, or the legacy stream's rule in between, the same work is clean.
#include <cublas_v2.h>

#include <functional>

#include "tests/simt/gpu.h"
#include "tests/simt/streams.h"

namespace lily::testing {
namespace {

#define NEEDS_XRAY() \
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented")

constexpr unsigned kCount = 256;
constexpr size_t kBytes = kCount * sizeof(float);

// Two streams that know nothing of each other nor of the legacy stream, three arrays, and an event.
struct Streams {
    explicit Streams(unsigned flags = cudaStreamNonBlocking) {
        for (cudaStream_t* stream : {&a, &b, &c})
            REQUIRE(cudaStreamCreateWithFlags(stream, flags) == cudaSuccess);
        REQUIRE(cudaEventCreateWithFlags(&event, cudaEventDisableTiming) == cudaSuccess);
        REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    }
    ~Streams() {
        for (cudaStream_t stream : {a, b, c}) cudaStreamDestroy(stream);
        cudaEventDestroy(event);
    }
    Streams(const Streams&) = delete;
    Streams& operator=(const Streams&) = delete;

    static Shape in(cudaStream_t stream) { return {.grid = 4, .block = 64, .stream = stream}; }
    void join(cudaStream_t from, cudaStream_t to) const {
        REQUIRE(cudaEventRecord(event, from) == cudaSuccess);
        REQUIRE(cudaStreamWaitEvent(to, event, 0) == cudaSuccess);
    }

    cudaStream_t a{}, b{}, c{};
    cudaEvent_t event{};
    Array<float> x{counting(kCount)}, y{counting(kCount)}, z{counting(kCount)};
    std::vector<float> host = counting(kCount);
};

// Not an expression to return: the call would have its caller's place.
using Piece = std::function<void(Streams&, cudaStream_t)>;

void gemm(Streams& s, cudaStream_t stream) {  // z = x y, 16 x 16
    static cublasHandle_t handle = [] {
        cublasHandle_t made{};
        REQUIRE(cublasCreate(&made) == CUBLAS_STATUS_SUCCESS);
        return made;
    }();
    const float one = 1, zero = 0;
    REQUIRE(cublasSetStream(handle, stream) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 16, 16, 16, &one, s.x, 16, s.y, 16, &zero, s.z,
                        16) == CUBLAS_STATUS_SUCCESS);
}

struct Pair {
    const char* name;
    Piece first, second;
    const char *one, *other;  // what the report says of both, in either order
};

const Pair kPairs[] = {
    {"a kernel reads what a kernel writes",
     [](Streams& s, cudaStream_t stream) { REQUIRE(fill(Streams::in(stream), s.y, 1) == cudaSuccess); },
     [](Streams& s, cudaStream_t stream) { REQUIRE(copy(Streams::in(stream), s.y, s.z) == cudaSuccess); },
     "fill_kernel", "copy_kernel"},
    {"a kernel writes what a kernel reads",
     [](Streams& s, cudaStream_t stream) { REQUIRE(copy(Streams::in(stream), s.y, s.z) == cudaSuccess); },
     [](Streams& s, cudaStream_t stream) { REQUIRE(fill(Streams::in(stream), s.y, 1) == cudaSuccess); },
     "fill_kernel", "copy_kernel"},
    {"two kernels write",
     [](Streams& s, cudaStream_t stream) { REQUIRE(fill(Streams::in(stream), s.y, 1) == cudaSuccess); },
     [](Streams& s, cudaStream_t stream) { REQUIRE(copy(Streams::in(stream), s.x, s.y) == cudaSuccess); },
     "fill_kernel", "copy_kernel"},
    {"a kernel reads what is copied there",
     [](Streams& s, cudaStream_t stream) {
         REQUIRE(cudaMemcpyAsync(s.y, s.host.data(), kBytes, cudaMemcpyHostToDevice, stream) == cudaSuccess);
     },
     [](Streams& s, cudaStream_t stream) { REQUIRE(copy(Streams::in(stream), s.y, s.z) == cudaSuccess); },
     "cudaMemcpyAsync", "copy_kernel"},
    {"a copy reads what a kernel writes",
     [](Streams& s, cudaStream_t stream) { REQUIRE(fill(Streams::in(stream), s.y, 1) == cudaSuccess); },
     [](Streams& s, cudaStream_t stream) {
         REQUIRE(cudaMemcpyAsync(s.host.data(), s.y, kBytes, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
     },
     "fill_kernel", "cudaMemcpyAsync"},
    {"a fill of bytes within what a copy reads",
     [](Streams& s, cudaStream_t stream) {
         REQUIRE(cudaMemsetAsync(reinterpret_cast<char*>(s.y.data) + 13, 0, 2, stream) == cudaSuccess);
     },
     [](Streams& s, cudaStream_t stream) {
         REQUIRE(cudaMemcpyAsync(s.z, s.y, kBytes, cudaMemcpyDeviceToDevice, stream) == cudaSuccess);
     },
     "cudaMemsetAsync", "cudaMemcpyAsync"},
    {"a fill of one byte of what a kernel reads",
     [](Streams& s, cudaStream_t stream) {
         REQUIRE(cudaMemsetAsync(reinterpret_cast<char*>(s.y.data) + 401, 0, 1, stream) == cudaSuccess);
     },
     [](Streams& s, cudaStream_t stream) { REQUIRE(copy(Streams::in(stream), s.y, s.z) == cudaSuccess); },
     "cudaMemsetAsync", "copy_kernel"},
    {"a kernel reads what a library writes", gemm,
     [](Streams& s, cudaStream_t stream) { REQUIRE(copy(Streams::in(stream), s.z, s.x) == cudaSuccess); },
     "cublasSgemm", "copy_kernel"},
    {"an atomic and a plain write",
     [](Streams& s, cudaStream_t stream) {
         REQUIRE(add_atomically(Streams::in(stream), s.y) == cudaSuccess);
     },
     [](Streams& s, cudaStream_t stream) { REQUIRE(fill(Streams::in(stream), s.y, 1) == cudaSuccess); },
     "add_atomically_kernel", "fill_kernel"},
};

void check_clean() {
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(simt::last_report() == "");
}

simt::Fault check_race() {
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    const auto faults = simt::faults();
    REQUIRE(faults.size() == 1);
    INFO(faults[0].text);
    CHECK(faults[0].kind == simt::FaultKind::race);
    CHECK_THAT(faults[0].text, Catch::Matchers::ContainsSubstring("a race between two streams"));
    CHECK_THAT(faults[0].remedy, Catch::Matchers::ContainsSubstring("cudaStreamWaitEvent"));
    CHECK(cudaDeviceReset() == cudaSuccess);
    simt::reset();
    return faults[0];
}

// Where a kernel or a call of this test accesses the memory.
void check_place(const std::string& name, const std::string& file, int line) {
    if (name.ends_with("_kernel")) {
        const auto lines = marked_lines("streams.cu", "stream: " + name.substr(0, name.size() - 7));
        CHECK(file.ends_with("tests/simt/streams.cu"));
        CHECK((line == lines.at(0) || (name == "copy_kernel" && line == lines.at(0) + 1)));
    } else {
        CHECK(file.ends_with("tests/simt/test_streams.cpp"));
        CHECK(line > 0);
    }
}

}  // namespace

TEST_CASE("simt streams: work of two streams on one memory races, and both sides are named",
          "[simt][streams]") {
    NEEDS_XRAY();
    for (const Pair& pair : kPairs)
        for (const bool swapped : {false, true}) {
            INFO(pair.name << (swapped ? ", the other stream first" : ""));
            const FreshDevice device(simt::Xray::full);
            Streams s;
            pair.first(s, swapped ? s.b : s.a);
            pair.second(s, swapped ? s.a : s.b);
            const auto race = check_race();
            INFO(race.text);
            const bool one_first = race.other.what.find(pair.one) != std::string::npos;
            check_place(one_first ? pair.one : pair.other, race.other.file, race.other.line);
            check_place(one_first ? pair.other : pair.one, race.file, race.line);
            CHECK_THAT(race.other.what,
                       Catch::Matchers::ContainsSubstring(one_first ? pair.one : pair.other));
            CHECK_THAT(race.kernel + race.what,
                       Catch::Matchers::ContainsSubstring(one_first ? pair.other : pair.one));
            CHECK_THAT(race.text, Catch::Matchers::ContainsSubstring("streams.cu:") ||
                                      Catch::Matchers::ContainsSubstring("test_streams.cpp:"));
        }
}

TEST_CASE("simt streams: what orders the two streams makes the same work clean", "[simt][streams]") {
    NEEDS_XRAY();
    const std::pair<const char*, std::function<void(Streams&)>> orders[] = {
        {"an event", [](Streams& s) { s.join(s.a, s.b); }},
        {"events by a third stream", [](Streams& s) { s.join(s.a, s.c), s.join(s.c, s.b); }},
        {"waiting for the stream", [](Streams& s) { REQUIRE(cudaStreamSynchronize(s.a) == cudaSuccess); }},
        {"waiting for the device", [](Streams&) { REQUIRE(cudaDeviceSynchronize() == cudaSuccess); }},
        {"waiting for an event",
         [](Streams& s) {
             REQUIRE(cudaEventRecord(s.event, s.a) == cudaSuccess);
             REQUIRE(cudaEventSynchronize(s.event) == cudaSuccess);
         }},
        {"asking for the stream until it is done",
         [](Streams& s) {
             while (cudaStreamQuery(s.a) == cudaErrorNotReady) {
             }
         }},
        {"asking for an event until it has happened",
         [](Streams& s) {
             REQUIRE(cudaEventRecord(s.event, s.a) == cudaSuccess);
             while (cudaEventQuery(s.event) == cudaErrorNotReady) {
             }
         }},
    };
    for (const Pair& pair : kPairs)
        for (const auto& [name, order] : orders) {
            INFO(pair.name << "; " << name);
            const FreshDevice device(simt::Xray::full);
            Streams s;
            pair.first(s, s.a);
            order(s);
            pair.second(s, s.b);
            check_clean();
        }
}

TEST_CASE("simt streams: an event orders only what stands before it", "[simt][streams]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    Streams s;
    SECTION("recorded before the work") {
        s.join(s.a, s.b);
        REQUIRE(fill(Streams::in(s.a), s.y, 1) == cudaSuccess);
        REQUIRE(copy(Streams::in(s.b), s.y, s.z) == cudaSuccess);
        check_race();
    }
    SECTION("the other way round") {
        REQUIRE(fill(Streams::in(s.a), s.y, 1) == cudaSuccess);
        s.join(s.b, s.a);
        REQUIRE(copy(Streams::in(s.b), s.y, s.z) == cudaSuccess);
        check_race();
    }
    SECTION("one of two writers") {
        REQUIRE(fill(Streams::in(s.a), s.x, 1) == cudaSuccess);
        REQUIRE(fill(Streams::in(s.c), s.y, 1) == cudaSuccess);
        s.join(s.a, s.b);
        REQUIRE(copy(Streams::in(s.b), s.x, s.z) == cudaSuccess);
        REQUIRE(copy(Streams::in(s.b), s.y, s.z) == cudaSuccess);
        check_race();
    }
    SECTION("the host has waited for another stream") {
        REQUIRE(fill(Streams::in(s.a), s.y, 1) == cudaSuccess);
        REQUIRE(fill(Streams::in(s.c), s.x, 1) == cudaSuccess);
        REQUIRE(cudaStreamSynchronize(s.c) == cudaSuccess);
        REQUIRE(copy(Streams::in(s.b), s.y, s.z) == cudaSuccess);
        check_race();
    }
}

TEST_CASE("simt streams: the legacy stream waits for the blocking ones, and they for it", "[simt][streams]") {
    NEEDS_XRAY();
    for (const bool blocking : {true, false})
        for (const bool legacy_first : {true, false}) {
            INFO("blocking " << blocking << ", the legacy stream first " << legacy_first);
            const FreshDevice device(simt::Xray::full);
            Streams s(blocking ? cudaStreamDefault : cudaStreamNonBlocking);
            REQUIRE(fill(Streams::in(legacy_first ? nullptr : s.a), s.y, 1) == cudaSuccess);
            REQUIRE(copy(Streams::in(legacy_first ? s.a : nullptr), s.y, s.z) == cudaSuccess);
            if (blocking)
                check_clean();
            else
                check_race();
        }
    // by the legacy stream's work between the two, a and b are in order
    const FreshDevice device(simt::Xray::full);
    Streams s(cudaStreamDefault);
    REQUIRE(fill(Streams::in(s.a), s.y, 1) == cudaSuccess);
    REQUIRE(fill(Streams::in(nullptr), s.x, 1) == cudaSuccess);
    REQUIRE(copy(Streams::in(s.b), s.y, s.z) == cudaSuccess);
    check_clean();
}

TEST_CASE("simt streams: readers, atomics and neighbours do not race", "[simt][streams]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    Streams s;
    const Array<float> sum(std::vector<float>(1, 0)), other(kCount);
    REQUIRE(copy(Streams::in(s.a), s.y, s.z) == cudaSuccess);
    REQUIRE(copy(Streams::in(s.b), s.y, s.x) == cudaSuccess);
    REQUIRE(cudaMemcpyAsync(other, s.y, kBytes, cudaMemcpyDeviceToDevice, s.c) == cudaSuccess);
    REQUIRE(add_atomically(Streams::in(s.a), sum) == cudaSuccess);
    REQUIRE(add_atomically(Streams::in(s.b), sum) == cudaSuccess);
    check_clean();
    CHECK(sum.values()[0] == 512);
    auto* bytes = reinterpret_cast<char*>(s.y.data);
    REQUIRE(cudaMemsetAsync(bytes, 0, 6, s.a) == cudaSuccess);
    REQUIRE(cudaMemsetAsync(bytes + 6, 0, 506, s.b) == cudaSuccess);
    REQUIRE(fill({.grid = 2, .block = 64, .stream = s.c}, s.y + 128, 1) == cudaSuccess);
    check_clean();
}

TEST_CASE("simt streams: a third reader is not forgotten", "[simt][streams]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    Streams s;
    REQUIRE(copy_first(Streams::in(s.a), s.y, s.x) == cudaSuccess);  // 8 warps read y[0]
    REQUIRE(cudaStreamQuery(s.a) == cudaErrorNotReady);  // it has run, and nobody has waited for it
    REQUIRE(copy_first(Streams::in(s.b), s.y, s.z) == cudaSuccess);
    REQUIRE(cudaStreamQuery(s.b) == cudaErrorNotReady);
    REQUIRE(fill(Streams::in(s.a), s.y, 1) == cudaSuccess);
    const auto race = check_race();
    CHECK(race.line == marked_lines("streams.cu", "stream: fill").at(0));
    CHECK(race.other.line == marked_lines("streams.cu", "stream: copy_first").at(0));
}

TEST_CASE("simt streams: a graph is work of the stream it is launched in", "[simt][streams]") {
    NEEDS_XRAY();
    for (const bool ordered : {false, true}) {
        const FreshDevice device(simt::Xray::full);
        Streams s;
        cudaGraph_t graph{};
        cudaGraphExec_t exec{};
        REQUIRE(cudaStreamBeginCapture(s.a, cudaStreamCaptureModeGlobal) == cudaSuccess);
        REQUIRE(fill(Streams::in(s.a), s.x, 1) == cudaSuccess);
        REQUIRE(copy(Streams::in(s.a), s.x, s.y) == cudaSuccess);
        REQUIRE(cudaStreamEndCapture(s.a, &graph) == cudaSuccess);
        REQUIRE(cudaGraphInstantiate(&exec, graph, 0) == cudaSuccess);
        REQUIRE(cudaGraphLaunch(exec, s.a) == cudaSuccess);
        REQUIRE(cudaGraphLaunch(exec, s.a) == cudaSuccess);
        if (ordered) s.join(s.a, s.b);
        REQUIRE(copy(Streams::in(s.b), s.y, s.z) == cudaSuccess);
        if (ordered)
            check_clean();
        else
            check_race();
        CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
        CHECK(cudaGraphDestroy(graph) == cudaSuccess);
    }
}

}  // namespace lily::testing
