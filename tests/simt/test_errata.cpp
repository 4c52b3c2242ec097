// SPDX-License-Identifier: MIT
// Published faults: each is reported on its line, and its fix stays silent.
#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "tests/simt/errata/errata.h"
#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

const std::map<std::string, simt::FaultKind> kKinds = {
    {"race", simt::FaultKind::race},
    {"uninitialised", simt::FaultKind::uninitialised},
    {"barrier", simt::FaultKind::barrier},
    {"collective", simt::FaultKind::collective},
    {"out_of_bounds", simt::FaultKind::out_of_bounds},
    {"misaligned", simt::FaultKind::misaligned},
    {"launch", simt::FaultKind::launch},
};

}  // namespace

TEST_CASE("simt errata: each published fault is reported on its line, and its fix is clean",
          "[simt][errata]") {
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented");
    for (const Erratum& erratum : errata())
        for (const bool fixed : {false, true}) {
            INFO(erratum.name << (fixed ? ", mended" : ""));
            const FreshDevice device(simt::Xray::full);
            const Array<float> x(counting(512)), y(std::vector<float>(512, 0));
            const cudaError_t launched = erratum.run(x, y, fixed);
            const cudaError_t waited = cudaDeviceSynchronize();
            INFO(simt::last_report());
            const auto faults = simt::faults();
            if (fixed) {
                CHECK(launched == cudaSuccess);
                CHECK(waited == cudaSuccess);
                CHECK(faults.empty());
                continue;
            }
            REQUIRE(!faults.empty());
            CHECK((launched != cudaSuccess || waited != cudaSuccess));
            CHECK(faults[0].kind == kKinds.at(erratum.kind));
            if (faults[0].kind == simt::FaultKind::launch) continue;  // on the helper's line
            const auto lines = marked_lines("errata/errata.cu", std::string("erratum: ") + erratum.name);
            CHECK(std::find(lines.begin(), lines.end(), faults[0].line) != lines.end());
            if (faults[0].kind == simt::FaultKind::race)
                CHECK(std::find(lines.begin(), lines.end(), faults[0].other.line) != lines.end());
            (void)cudaGetLastError();
        }
}

TEST_CASE("simt errata: the table in docs/errata.md has all of them", "[simt][errata]") {
    std::ifstream file(LILY_SOURCE_DIR "/docs/errata.md");
    std::stringstream text;
    text << file.rdbuf();
    std::set<std::string> names;
    for (const Erratum& erratum : errata()) {
        CHECK_THAT(text.str(), Catch::Matchers::ContainsSubstring("| `" + std::string(erratum.name) + "` |"));
        names.insert(erratum.name);
    }
    CHECK(names.size() == errata().size());
    CHECK(names.size() >= 24);
}

}  // namespace lily::testing
