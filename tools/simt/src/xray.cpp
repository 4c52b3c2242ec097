// SPDX-License-Identifier: MIT
// The kernels are compiled with -fsanitize=thread, which calls one of these functions before every load and
// store; the sanitizer's own library is not linked. See docs/simt.md.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "api.h"
#include "arena.h"
#include "counters.h"
#include "engine.h"
#include "races.h"
#include "report.h"
#include "sanitizer.h"

namespace simt {
namespace {

// The program's code, constants and globals: a kernel may read them.
Range g_program{};

std::string bytes_text(size_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }
const char* verb(bool write) { return write ? "write" : "read"; }

[[noreturn, gnu::cold]] void global_fault(Worker& worker, uintptr_t address, size_t bytes, bool write,
                                          const void* site) {
    const InRuntime runtime;
    Arena& arena = Arena::instance();
    const auto* p = reinterpret_cast<const void*>(address);
    const Block* block = arena.find(p);  // nobody allocates while a kernel runs: its launcher holds the lock
    const bool inside =
        block != nullptr && address >= block->address && address < block->address + block->bytes;
    const std::string access = std::string(verb(write)) + " of " + bytes_text(bytes) + ": ";
    if (inside && block->freed)
        worker.fail(FaultKind::use_after_free, cudaErrorIllegalAddress,
                    "use after free, " + access + arena.describe(p), site, p);
    if (inside && address + bytes <= block->address + block->bytes)
        worker.fail(FaultKind::uninitialised, cudaErrorLaunchFailure,
                    "uninitialised read of " + bytes_text(bytes) + ": " + arena.describe(p), site, p);
    worker.fail(FaultKind::out_of_bounds, cudaErrorIllegalAddress,
                "out-of-bounds " + access + arena.describe(p), site, p);
}

[[noreturn, gnu::cold]] void misaligned(Worker& worker, const void* p, size_t bytes, bool write,
                                        const void* site) {
    const InRuntime runtime;
    worker.fail(FaultKind::misaligned, cudaErrorMisalignedAddress,
                std::string("misaligned ") + verb(write) + " of " + bytes_text(bytes), site, p);
}

// Not the device's memory, not the fiber's stack, not shared memory: what else a kernel may touch, or a
// fault.
void elsewhere(Worker& worker, uintptr_t address, size_t bytes, bool write, const void* site) {
    if (address - g_program.begin < g_program.size) return;
    const InRuntime runtime;
    for (const Range& range : worker.other_locals)
        if (address - range.begin < range.size) return;
    const auto* p = reinterpret_cast<const void*>(address);
    const std::string access = std::string(verb(write)) + " of " + bytes_text(bytes);
    if (address < 65536)
        worker.fail(FaultKind::out_of_bounds, cudaErrorIllegalAddress,
                    "out-of-bounds " + access + " through a null pointer", site, p);
    if (address - (worker.shared - kSharedGuard) < 2 * kSharedGuard + kMostShared) {
        const bool before = address < worker.shared;
        worker.fail(
            FaultKind::out_of_bounds, cudaErrorIllegalAddress,
            "out-of-bounds " + access + " in shared memory: " +
                bytes_text(before ? worker.shared - address : address - worker.shared - worker.shared_bytes) +
                (before ? " before the " : " after the end of the ") + bytes_text(worker.shared_bytes) +
                " of dynamic shared memory",
            site, p);
    }
    if (in_a_module(address)) return;
    worker.fail(FaultKind::host_pointer, cudaErrorIllegalAddress,
                access + " through a host pointer in a kernel", site, p);
}

std::string array_at(size_t offset) {
    const ThreadLocal* nearest = nullptr;
    for (const ThreadLocal& variable : thread_locals())
        if (!variable.gap && variable.offset <= offset) nearest = &variable;
    if (nearest == nullptr) return "shared memory";
    std::string name = readable(nearest->name);
    name = name.substr(name.rfind("::") == std::string::npos ? 0 : name.rfind("::") + 2);
    const size_t end = nearest->offset + nearest->size;
    if (offset < end) return "byte " + std::to_string(offset - nearest->offset) + " of " + name;
    return bytes_text(offset - end) + " after the end of the array " + name + " (" +
           bytes_text(nearest->size) + ")";
}

[[noreturn]] void shared_fault(Worker& worker, FaultKind kind, uintptr_t address, size_t bytes, bool write,
                               const void* site) {
    const InRuntime runtime;
    const bool dynamic = address - worker.shared < worker.shared_bytes,
               outside = kind == FaultKind::out_of_bounds;
    const std::string place =
        dynamic ? "byte " + std::to_string(address - worker.shared) + " of the dynamic shared memory"
                : array_at(address - worker.locals);
    worker.fail(kind, outside ? cudaErrorIllegalAddress : cudaErrorLaunchFailure,
                std::string(outside ? "out-of-bounds " : "uninitialised ") + verb(write) + " of " +
                    bytes_text(bytes) + " in shared memory: " + place,
                site, reinterpret_cast<const void*>(address));
}

// The bits of N bytes from offset on, a multiple of N: within one byte, or two.
template <size_t N>
struct Bits {
    using Word = std::conditional_t<N == 16, uint16_t, uint8_t>;
    static constexpr auto mask = static_cast<Word>((1u << N) - 1);

    static bool set(const uint8_t* map, size_t offset) {
        Word word;
        std::memcpy(&word, map + offset / 8, sizeof(word));
        return ((word >> shift(offset)) & mask) == mask;
    }
    static void add(uint8_t* map, size_t offset) {
        Word word;
        std::memcpy(&word, map + offset / 8, sizeof(word));
        word = static_cast<Word>(word | mask << shift(offset));
        std::memcpy(map + offset / 8, &word, sizeof(word));
    }
    static unsigned shift(size_t offset) { return N < 8 ? offset % 8 : 0; }
};

// The first write to that place in the block, or a fault.
template <size_t N, Access A>
[[gnu::noinline]] void first_touch(Worker& worker, uintptr_t address, bool dynamic, const void* site) {
    const size_t offset = address - (dynamic ? worker.shared : worker.locals);
    if (!dynamic && worker.locals_allowed != nullptr && !Bits<N>::set(worker.locals_allowed, offset))
        shared_fault(worker, FaultKind::out_of_bounds, address, N, writes(A), site);
    if (reads(A)) {
        if (!is_coordinate(address)) shared_fault(worker, FaultKind::uninitialised, address, N, false, site);
        return;
    }
    Bits<N>::add(dynamic ? worker.shared_initialised : worker.locals_initialised, offset);
    if (dynamic) return;
    if (offset < worker.touched_begin) worker.touched_begin = offset;
    if (offset + N > worker.touched_end) worker.touched_end = offset + N;
}

template <size_t N, Access A>
[[gnu::always_inline]] inline uint64_t what_of(const Worker& worker, const void* site) {
    constexpr bool kAtomic =
        A == Access::atomic_load || A == Access::atomic_store || A == Access::atomic_update;
    constexpr uint64_t kWhat = Record::pack(0, A, N);
    return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(site)) | kWhat |
           (kAtomic && worker.scope == Scope::block ? Record::kNarrow : 0);
}

// The lane does what the record of its warp foretells: the address is one of the same memory, and aligned.
template <size_t N, Access A>
[[gnu::always_inline]] inline bool foretold(Worker& worker, uintptr_t address, const void* site) {
    Record* record = worker.cursor.expected;
    if (record->base + static_cast<uintptr_t>(worker.x * record->dx) +
            static_cast<uintptr_t>(worker.y * record->dy) !=
        address)
        return false;
    if (record->what != what_of<N, A>(worker, site)) return false;
    if (!Bits<N>::set(worker.maps[static_cast<unsigned>(record->memory)], address)) return false;
    record->mask |= worker.lane_bit;
    worker.cursor.expected = record + 1;
    return true;
}

// Shared memory is only touched by its own OS thread, so plain maps do.
template <size_t N, Access A>
[[gnu::always_inline]] inline void touch_shared(Worker& worker, uintptr_t address, bool dynamic,
                                                const void* site) {
    const size_t offset = address - (dynamic ? worker.shared : worker.locals);
    if (dynamic && offset + N > worker.shared_bytes) [[unlikely]]
        return elsewhere(worker, worker.shared + worker.shared_bytes, N, writes(A), site);
    if (!Bits<N>::set(dynamic ? worker.shared_initialised : worker.locals_initialised, offset)) [[unlikely]] {
        first_touch<N, A>(worker, address, dynamic, site);
        if (reads(A)) return;
    }
    if (worker.full)
        record_slowly(worker, address, what_of<N, A>(worker, site),
                      dynamic ? Memory::dynamic : Memory::locals);
}

void host_access(uintptr_t address, bool write, const void* site) {
    const std::lock_guard lock(api_mutex());
    const Block* block = Arena::instance().find(reinterpret_cast<const void*>(address));
    if (block != nullptr && block->pinned) return;
    report_in_host(FaultKind::host_pointer, cudaErrorIllegalAddress,
                   std::string(verb(write)) + " of device memory in host code: " +
                       Arena::instance().describe(reinterpret_cast<const void*>(address)),
                   "", site, reinterpret_cast<const void*>(address));
}

template <size_t N, Access A>
[[gnu::always_inline]] inline void touch(const volatile void* p, const void* site) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    Worker* worker = t_checked;
    const uintptr_t offset = address - g_shadow.base;
    if (worker == nullptr) [[unlikely]] {
        if (offset < g_shadow.size && t_worker == nullptr) host_access(address, writes(A), site);
        return;
    }
    if (foretold<N, A>(*worker, address, site)) return;
    if (address - worker->stack < worker->stack_bytes) return;
    if (N > 1 && address % N != 0) [[unlikely]]
        misaligned(*worker, const_cast<void*>(p), N, writes(A), site);
    if (offset < g_shadow.size) [[likely]] {
        using Word = typename Bits<N>::Word;
        constexpr uint32_t mask = Bits<N>::mask;
        const unsigned shift = Bits<N>::shift(offset);
        auto* initialised = reinterpret_cast<Word*>(g_shadow.initialised + offset / 8);
        const uint32_t have = __atomic_load_n(initialised, __ATOMIC_RELAXED) >> shift;
        if ((have & mask) != mask) [[unlikely]] {
            if (reads(A)) global_fault(*worker, address, N, writes(A), site);
            const uint32_t alive = *reinterpret_cast<const Word*>(g_shadow.allocated + offset / 8) >> shift;
            if ((alive & mask) != mask) global_fault(*worker, address, N, true, site);
            __atomic_fetch_or(initialised, static_cast<Word>(mask << shift), __ATOMIC_RELAXED);
        }
        if (worker->full) record_slowly(*worker, address, what_of<N, A>(*worker, site), Memory::global);
        return;
    }
    const bool dynamic = address - worker->shared < worker->shared_bytes;
    if (dynamic || address - worker->locals < worker->locals_bytes)
        return touch_shared<N, A>(*worker, address, dynamic, site);
    elsewhere(*worker, address, N, writes(A), site);
}

// Any size and alignment: structures, unaligned members.
template <Access A>
void touch_range(const void* p, size_t bytes, const void* site) {
    const auto* at = static_cast<const char*>(p);
    if (t_checked == nullptr) {  // host code: the ends will do
        if (t_worker == nullptr && bytes > 0) touch<1, A>(at, site), touch<1, A>(at + bytes - 1, site);
        return;
    }
    for (; bytes >= 4 && reinterpret_cast<uintptr_t>(at) % 4 == 0; at += 4, bytes -= 4) touch<4, A>(at, site);
    for (; bytes > 0; ++at, --bytes) touch<1, A>(at, site);
}

}  // namespace

__thread Worker* t_checked = nullptr;

bool instrumented() { return !LILY_SIMT_ASAN; }

void prepare_shadows(Worker& worker) {
    static const bool prepared = [] {
        g_program = program_range();
        return true;
    }();
    (void)prepared;
    const Xray level = instrumented() ? xray() : Xray::off;
    worker.faults = level != Xray::off;
    worker.full = level == Xray::full;
    worker.cursor = nowhere();
    if (!worker.faults) return;
    if (worker.locals_initialised == nullptr && worker.locals_bytes > 0) {
        worker.locals_initialised = static_cast<uint8_t*>(std::calloc(worker.locals_bytes / 8 + 16, 1));
        auto* allowed = static_cast<uint8_t*>(std::calloc(worker.locals_bytes / 8 + 16, 1));
        for (const ThreadLocal& variable : thread_locals())
            for (size_t i = variable.offset; !variable.gap && i < variable.offset + variable.size; ++i)
                allowed[i / 8] = static_cast<uint8_t>(allowed[i / 8] | 1u << i % 8);
        if (thread_locals().empty())
            std::memset(allowed, 0xff, worker.locals_bytes / 8 + 16);  // a stripped program
        worker.locals_allowed = allowed;
    }
    std::free(worker.shared_initialised);
    worker.shared_initialised = static_cast<uint8_t*>(std::calloc(worker.shared_bytes / 8 + 16, 1));
    if (!worker.full) return;
    const auto from_zero = [](const uint8_t* map, uintptr_t begin) {
        return reinterpret_cast<const uint8_t*>(reinterpret_cast<uintptr_t>(map) - begin / 8);
    };
    worker.maps[0] = from_zero(g_shadow.initialised, g_shadow.base);
    worker.maps[1] = from_zero(worker.locals_initialised, worker.locals);
    worker.maps[2] = from_zero(worker.shared_initialised, worker.shared);
    worker.counting->begin_launch(worker.launch->block.x);
    if (worker.locals_cells.count == 0) {
        worker.locals_cells = make_cells(worker.locals_bytes);
        worker.shared_cells = make_cells(kMostShared);
    }
    if (worker.generation != stamp_generation()) {
        clear_cells(worker.locals_cells);
        clear_cells(worker.shared_cells);
        worker.generation = stamp_generation();
    }
}

void clear_shared_shadow(Worker& worker) {
    if (!worker.faults) return;
    if (worker.shared_bytes > 0) std::memset(worker.shared_initialised, 0, worker.shared_bytes / 8 + 1);
    if (worker.touched_begin < worker.touched_end)
        std::memset(worker.locals_initialised + worker.touched_begin / 8, 0,
                    worker.touched_end / 8 - worker.touched_begin / 8 + 1);
    worker.touched_begin = SIZE_MAX;
    worker.touched_end = 0;
}

void release_shadows(Worker& worker) {
    std::free(worker.shared_initialised);
    drop_cells(worker.shared_cells);
    drop_cells(worker.locals_cells);
    std::free(worker.locals_initialised);
    std::free(const_cast<uint8_t*>(worker.locals_allowed));
}

void check_access(const void* p, size_t bytes, bool write, const void* site) {
    if (t_checked == nullptr) return;
    const auto each = [&]<size_t N>() {
        if (write)
            touch<N, Access::write>(p, site);
        else
            touch<N, Access::read>(p, site);
    };
    if (bytes == 4) each.operator()<4>();
    if (bytes == 8) each.operator()<8>();
    if (bytes == 16) each.operator()<16>();
}

void forget_written(Worker& worker, const void* p, size_t bytes) {
    const auto address = reinterpret_cast<uintptr_t>(p);
    const bool dynamic = address - worker.shared < worker.shared_bytes;
    if (!worker.faults || (!dynamic && address - worker.locals >= worker.locals_bytes)) return;
    uint8_t* map = dynamic ? worker.shared_initialised : worker.locals_initialised;
    const size_t first = address - (dynamic ? worker.shared : worker.locals);
    for (size_t i = first; i < first + bytes; ++i)
        map[i / 8] = static_cast<uint8_t>(map[i / 8] & ~(1u << i % 8));
}

template <Access A>
void touch_atomic(const volatile void* p, size_t bytes, const void* site) {
    if (bytes == 1) touch<1, A>(p, site);
    if (bytes == 2) touch<2, A>(p, site);
    if (bytes == 4) touch<4, A>(p, site);
    if (bytes == 8) touch<8, A>(p, site);
}
template void touch_atomic<Access::atomic_load>(const volatile void*, size_t, const void*);
template void touch_atomic<Access::atomic_store>(const volatile void*, size_t, const void*);
template void touch_atomic<Access::atomic_update>(const volatile void*, size_t, const void*);

template <size_t N, Access A>
void touch_volatile(const volatile void* p, const void* site) {
    touch<N, A>(p, site);
    const auto address = reinterpret_cast<uintptr_t>(p);
    if (reads(A) && t_worker != nullptr && address - t_worker->stack >= t_worker->stack_bytes) {
        uint64_t value = 0;
        std::memcpy(&value, const_cast<const void*>(p), std::min<size_t>(N, sizeof(value)));
        t_worker->poll(address, value, site);
    }
    if (t_checked == nullptr || !t_checked->full) return;
    if (reads(A)) t_checked->after_atomic(address, __ATOMIC_RELAXED);
    if (writes(A)) t_checked->before_atomic(address, __ATOMIC_RELAXED);
}

}  // namespace simt

using simt::Access;
#define SITE __builtin_return_address(0)

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_read1(void* p) { simt::touch<1, Access::read>(p, SITE); }
void __tsan_read2(void* p) { simt::touch<2, Access::read>(p, SITE); }
void __tsan_read4(void* p) { simt::touch<4, Access::read>(p, SITE); }
void __tsan_read8(void* p) { simt::touch<8, Access::read>(p, SITE); }
void __tsan_read16(void* p) { simt::touch<16, Access::read>(p, SITE); }
void __tsan_write1(void* p) { simt::touch<1, Access::write>(p, SITE); }
void __tsan_write2(void* p) { simt::touch<2, Access::write>(p, SITE); }
void __tsan_write4(void* p) { simt::touch<4, Access::write>(p, SITE); }
void __tsan_write8(void* p) { simt::touch<8, Access::write>(p, SITE); }
void __tsan_write16(void* p) { simt::touch<16, Access::write>(p, SITE); }
void __tsan_volatile_read1(void* p) { simt::touch_volatile<1, Access::volatile_read>(p, SITE); }
void __tsan_volatile_read2(void* p) { simt::touch_volatile<2, Access::volatile_read>(p, SITE); }
void __tsan_volatile_read4(void* p) { simt::touch_volatile<4, Access::volatile_read>(p, SITE); }
void __tsan_volatile_read8(void* p) { simt::touch_volatile<8, Access::volatile_read>(p, SITE); }
void __tsan_volatile_read16(void* p) { simt::touch_volatile<16, Access::volatile_read>(p, SITE); }
void __tsan_volatile_write1(void* p) { simt::touch_volatile<1, Access::volatile_write>(p, SITE); }
void __tsan_volatile_write2(void* p) { simt::touch_volatile<2, Access::volatile_write>(p, SITE); }
void __tsan_volatile_write4(void* p) { simt::touch_volatile<4, Access::volatile_write>(p, SITE); }
void __tsan_volatile_write8(void* p) { simt::touch_volatile<8, Access::volatile_write>(p, SITE); }
void __tsan_volatile_write16(void* p) { simt::touch_volatile<16, Access::volatile_write>(p, SITE); }
void __tsan_unaligned_read2(void* p) { simt::touch_range<Access::read>(p, 2, SITE); }
void __tsan_unaligned_read4(void* p) { simt::touch_range<Access::read>(p, 4, SITE); }
void __tsan_unaligned_read8(void* p) { simt::touch_range<Access::read>(p, 8, SITE); }
void __tsan_unaligned_read16(void* p) { simt::touch_range<Access::read>(p, 16, SITE); }
void __tsan_unaligned_write2(void* p) { simt::touch_range<Access::write>(p, 2, SITE); }
void __tsan_unaligned_write4(void* p) { simt::touch_range<Access::write>(p, 4, SITE); }
void __tsan_unaligned_write8(void* p) { simt::touch_range<Access::write>(p, 8, SITE); }
void __tsan_unaligned_write16(void* p) { simt::touch_range<Access::write>(p, 16, SITE); }
void* lily_simt_memcpy(void* to, const void* from, size_t bytes) {
    simt::touch_range<Access::read>(from, bytes, SITE);
    simt::touch_range<Access::write>(to, bytes, SITE);
    return std::memcpy(to, from, bytes);
}
void* lily_simt_memmove(void* to, const void* from, size_t bytes) {
    simt::touch_range<Access::read>(from, bytes, SITE);
    simt::touch_range<Access::write>(to, bytes, SITE);
    return std::memmove(to, from, bytes);
}
void* lily_simt_memset(void* to, int value, size_t bytes) {
    simt::touch_range<Access::write>(to, bytes, SITE);
    return std::memset(to, value, bytes);
}
void __tsan_read_range(void* p, size_t bytes) { simt::touch_range<Access::read>(p, bytes, SITE); }
void __tsan_write_range(void* p, size_t bytes) { simt::touch_range<Access::write>(p, bytes, SITE); }
}
