// SPDX-License-Identifier: MIT
#include "framework/memory_limit.h"

#include <sys/resource.h>

#include "tests/framework/io/io_test.h"

namespace lily {
namespace {

void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
}

TEST_CASE("the memory limit is the least of all control groups above the process", "[memory_limit]") {
    const io::ScratchFolder root;
    const auto limit = [&] { return resident_limit(root / ""); };
    const double machine = limit().bytes;
    CHECK(machine > 1e8);
    CHECK(limit().by == "this machine has");

    SECTION("version 2, nested") {
        put(root / "proc/self/cgroup", "0::/user/job/step\n");
        put(root / "sys/fs/cgroup/user/job/step/memory.max", "max\n");
        CHECK(limit().bytes == machine);
        put(root / "sys/fs/cgroup/user/memory.max", "70000000\n");
        CHECK(limit().bytes == 7e7);
        put(root / "sys/fs/cgroup/user/job/memory.max", "50000000\n");
        CHECK(limit().bytes == 5e7);
        CHECK(limit().by == "the control group /user/job allows");
        put(root / "sys/fs/cgroup/user/job/other/memory.max", "10\n");
        CHECK(limit().bytes == 5e7);
    }
    SECTION("version 1, beside others") {
        put(root / "proc/self/cgroup", "9:name=systemd:/\n5:cpu,memory:/api/x\n4:memory2:/y\n0::/\n");
        put(root / "sys/fs/cgroup/memory/api/x/memory.limit_in_bytes", "9223372036854771712\n");
        put(root / "sys/fs/cgroup/y/memory.max", "11\n");
        CHECK(limit().bytes == machine);
        put(root / "sys/fs/cgroup/memory/api/memory.limit_in_bytes", "60000000\n");
        CHECK(limit().bytes == 6e7);
    }
    SECTION("a container sees its own group at the top, whatever its path on the host is") {
        put(root / "proc/self/cgroup", "3:memory:/docker/0123\n0::/../../docker/0123\n");
        put(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "80000000\n");
        CHECK(limit().bytes == 8e7);
        put(root / "sys/fs/cgroup/memory.max", "30000000\n");
        CHECK(limit().bytes == 3e7);
        CHECK(limit().by == "the control group / allows");
    }
    SECTION("nonsense is no limit") {
        put(root / "proc/self/cgroup", "\n:\n0\n0::\n0::job\n::/a:b\n");
        put(root / "sys/fs/cgroup/memory.max", "-3\n");
        CHECK(limit().bytes == machine);
    }
}

TEST_CASE("the address space is limited by ulimit -v and -d", "[memory_limit]") {
    struct rlimit before {};
    REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
    struct rlimit now = before;
    now.rlim_cur = rlim_t{1} << 43;
    REQUIRE(::setrlimit(RLIMIT_AS, &now) == 0);
    const auto limit = address_space_limit();
    ::setrlimit(RLIMIT_AS, &before);
    REQUIRE(limit);
    CHECK(limit->bytes <= 0x1p43);
    CHECK(peak_resident_bytes() > 1e6);
}

}  // namespace
}  // namespace lily
