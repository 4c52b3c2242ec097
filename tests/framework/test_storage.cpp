// SPDX-License-Identifier: MIT
#include "framework/storage.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <set>
#include <thread>

#include "framework/error.h"
#include "framework/tensor.h"
#include "tests/catch.h"

namespace lily {
namespace {

std::shared_ptr<Storage> new_storage(size_t bytes) { return std::make_shared<Storage>(Device::cpu, bytes); }

}  // namespace

TEST_CASE("freed memory is handed out again, and given back by empty_cache", "[storage]") {
    CachingAllocator& memory = allocator(Device::cpu);
    constexpr size_t kSize = 3'000'000;
    memory.empty_cache();
    const MemoryStats start = memory.stats();
    CHECK(start.cached_bytes == 0);
    void* first = new_storage(kSize)->data();
    const MemoryStats freed = memory.stats();
    CHECK(freed.current_bytes == start.current_bytes);
    CHECK(freed.cached_bytes >= static_cast<int64_t>(kSize));
    CHECK(freed.allocations == start.allocations + 1);

    const auto again = new_storage(kSize), near = new_storage(kSize - 1000);
    CHECK(again->data() == first);
    CHECK(near->data() != first);  // in use
    CHECK(memory.stats().allocations == start.allocations + 2);
    CHECK(memory.stats().cached_bytes == 0);
    CHECK(again->bytes() == kSize);
    CHECK(near->bytes() == kSize - 1000);

    new_storage(1000);
    CHECK(memory.stats().cached_bytes > 0);
    memory.empty_cache();
    CHECK(memory.stats().cached_bytes == 0);
}

TEST_CASE("the allocator wastes at most an eighth, at every size", "[storage]") {
    CachingAllocator& memory = allocator(Device::cpu);
    for (const size_t bytes :
         {size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{512}, size_t{513}, size_t{576}, size_t{1023},
          size_t{1025}, size_t{100'001}, (size_t{2} << 20) - 1, (size_t{2} << 20) + 1, size_t{9'999'999}}) {
        const int64_t before = memory.stats().current_bytes;
        const auto storage = new_storage(bytes);
        const auto used = static_cast<size_t>(memory.stats().current_bytes - before);
        INFO(bytes << " bytes take " << used);
        CHECK(used >= bytes);
        CHECK(used <= std::max(bytes + 63, bytes + bytes / 8 + 1));
        CHECK(reinterpret_cast<uintptr_t>(storage->data()) % 64 == 0);
        auto* data = static_cast<char*>(storage->data());
        data[0] = data[bytes - 1] = 1;
    }
}

TEST_CASE("peak memory", "[storage]") {
    CachingAllocator& memory = allocator(Device::cpu);
    memory.reset_peak();
    const int64_t before = memory.stats().current_bytes;
    CHECK(memory.stats().peak_bytes == before);
    {
        const auto one = new_storage(1 << 20);
        const auto two = new_storage(1 << 20);
    }
    const auto three = new_storage(1 << 20);
    CHECK(memory.stats().current_bytes == before + (1 << 20));
    CHECK(memory.stats().peak_bytes == before + (2 << 20));
    memory.reset_peak();
    CHECK(memory.stats().peak_bytes == before + (1 << 20));
}

TEST_CASE("poisoned memory is NaN", "[storage]") {
    CachingAllocator& memory = allocator(Device::cpu);
    {
        const auto clean = new_storage(400);
        std::fill_n(static_cast<float*>(clean->data()), 100, 1.0f);
    }
    memory.poison(true);
    const auto poisoned = new_storage(400);
    memory.poison(false);
    CHECK(std::isnan(static_cast<float*>(poisoned->data())[99]));
    CHECK(std::isnan(static_cast<double*>(poisoned->data())[49]));
}

TEST_CASE("memory that belongs to somebody else lives as long as the storage", "[storage]") {
    auto owner = std::make_shared<std::vector<float>>(10, 3.0f);
    const std::weak_ptr<std::vector<float>> watch = owner;
    const int64_t before = allocator(Device::cpu).stats().current_bytes;
    {
        const Storage storage(Device::cpu, owner->data(), 40, owner);
        owner.reset();
        CHECK(!watch.expired());
        CHECK(static_cast<float*>(storage.data())[9] == 3.0f);
        CHECK(allocator(Device::cpu).stats().current_bytes == before);
    }
    CHECK(watch.expired());
}

TEST_CASE("derived copies are made once per layout, and again after a change", "[storage]") {
    Storage storage(Device::cpu, 64);
    int made = 0;
    const auto make = [&] {
        ++made;
        return new_storage(64);
    };
    const auto first = storage.derived(1, make);
    CHECK(storage.derived(1, make) == first);
    CHECK(made == 1);
    CHECK(storage.derived(2, make) != first);
    CHECK(made == 2);
    storage.bump_version();
    CHECK(storage.derived(1, make) != first);
    CHECK(made == 3);
}

TEST_CASE("derived copies: threads that ask at the same time get the same one", "[storage]") {
    Storage storage(Device::cpu, 64);
    std::atomic<int> made{0};
    std::vector<std::shared_ptr<Storage>> got(4);
    std::vector<std::thread> threads;
    for (auto& mine : got)
        threads.emplace_back([&] {
            mine = storage.derived(1, [&] {
                ++made;
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
                return new_storage(64);
            });
        });
    for (std::thread& t : threads) t.join();
    CHECK(made == 1);
    for (const auto& mine : got) CHECK(mine == got[0]);
}

TEST_CASE("no two states of any memory have the same version", "[storage]") {
    Storage one(Device::cpu, 64), two(Device::cpu, 64);
    std::set<uint64_t> versions{one.version(), two.version()};
    for (Storage* s : {&one, &two, &one}) {
        s->bump_version();
        versions.insert(s->version());
    }
    CHECK(versions.size() == 5);
}

TEST_CASE("scratch takes a larger block that lies idle, but no huge one for a little", "[storage]") {
    CachingAllocator& memory = allocator(Device::cpu);
    constexpr size_t kHuge = size_t{256} << 20;
    memory.empty_cache();
    new_storage(kHuge);  // is now idle; nobody has touched it
    const auto lent = [&](size_t bytes) {
        const int64_t before = memory.stats().current_bytes;
        void* scratch = memory.allocate_scratch(bytes);
        const int64_t size = memory.stats().current_bytes - before;
        memory.release(scratch, bytes);
        return static_cast<size_t>(size);
    };
    CHECK(lent(1000) < 2000);
    CHECK(lent(kHuge / 8) == kHuge);
    CHECK(lent(kHuge / 2) == kHuge);
    memory.empty_cache();
}

TEST_CASE("empty storage, and devices that this build lacks", "[storage]") {
    CHECK(new_storage(0)->data() == nullptr);
    for (const Device device : {Device::simt, Device::cuda}) {
        if (is_available(device)) continue;
        CHECK_THROWS_WITH(allocator(device), "[device] " + device_problem(device));
        CHECK_THROWS_WITH(default_queue(device), "[device] " + device_problem(device));
        CHECK_THROWS_WITH(zeros({1}).to(device), "[to] " + device_problem(device));
    }
}

#if !defined(__SANITIZE_ADDRESS__)  // the sanitizer's own allocator ends the program instead
TEST_CASE("too much memory is an error that names the sizes", "[storage]") {
    const int64_t before = allocator(Device::cpu).stats().current_bytes;
    CHECK_THROWS_AS(new_storage(size_t{1} << 60), Error);
    CHECK(allocator(Device::cpu).stats().current_bytes == before);
}
#endif

}  // namespace lily
