// SPDX-License-Identifier: MIT
#include "races.h"

#include <algorithm>

#include "engine.h"

namespace simt {
namespace {

// Who touched a cell, in one word.
struct Mark {
    uint64_t bytes : 4, atomic : 1, lanes : 1, warps : 1;  // lanes, warps: several of them have read
    uint64_t thread : 10, warp_epoch : 11, epoch : 10, serial : 26;
};
static_assert(sizeof(Mark) == 8);

Mark load(const uint64_t& cell) { return __builtin_bit_cast(Mark, __atomic_load_n(&cell, __ATOMIC_RELAXED)); }
void store(uint64_t& cell, Mark mark) {
    __atomic_store_n(&cell, __builtin_bit_cast(uint64_t, mark), __ATOMIC_RELAXED);
}

// Did the other one's access and mine happen without an order, in the same block?
bool unordered(Mark other, Mark mine) {
    if (other.serial != mine.serial || other.epoch != mine.epoch) return false;
    if (other.warps) return true;
    if (other.thread / kWarp != mine.thread / kWarp) return true;
    return other.warp_epoch == mine.warp_epoch && (other.lanes || other.thread != mine.thread);
}

}  // namespace

void check_races(Worker& worker, uint64_t* cells, size_t offset, size_t bytes, Access access, bool global,
                 const void* site, const void* address) {
    Mark mine{};
    mine.atomic = access == Access::atomic;
    mine.thread = worker.thread;
    mine.warp_epoch = worker.warp_epoch[worker.thread / kWarp];
    mine.epoch = worker.epoch;
    mine.serial = worker.block_serial;
    const auto complain = [&](const char* what, Mark other) {
        const InRuntime runtime;
        const unsigned t = static_cast<unsigned>(other.thread);
        const dim3 shape = worker.launch->block;
        worker.fail(FaultKind::race, cudaErrorLaunchFailure,
                    std::string("a race in ") + (global ? "global" : "shared") + " memory: " + what +
                        " thread (" + std::to_string(t % shape.x) + "," +
                        std::to_string(t / shape.x % shape.y) + "," +
                        std::to_string(t / (shape.x * shape.y)) + ")" +
                        (other.serial == mine.serial ? " of the block, with no barrier in between"
                                                     : " of another block of the launch"),
                    site, address);
    };
    for (size_t at = offset; at < offset + bytes;) {
        const size_t cell = at / 4, next = std::min((cell + 1) * 4, offset + bytes);
        mine.bytes = ((1u << (next - cell * 4)) - 1) & ~((1u << (at - cell * 4)) - 1);
        uint64_t &written = cells[2 * cell], &read = cells[2 * cell + 1];
        const Mark writer = load(written), reader = load(read);
        const bool overlap = (writer.bytes & mine.bytes) != 0 && !(writer.atomic && mine.atomic);
        if (overlap && unordered(writer, mine))
            complain(access == Access::read ? "read after a write by" : "written after a write by", writer);
        if (access != Access::read) {
            const uint64_t in_launch = (writer.serial - worker.launch->first_serial) % (uint64_t{1} << 26);
            if (overlap && global && writer.serial != mine.serial && in_launch < worker.launch->blocks())
                complain("written after a write by", writer);
            if ((reader.bytes & mine.bytes) != 0 && !(reader.atomic && mine.atomic) &&
                unordered(reader, mine))
                complain("written after a read by", reader);
            store(written, mine);
        } else {
            Mark mark = mine;
            const bool shared = reader.serial == mine.serial && reader.epoch == mine.epoch &&
                                (reader.bytes & mine.bytes) != 0 && reader.thread != mine.thread;
            if (shared) {
                mark.bytes |= reader.bytes;
                mark.warps = reader.warps || reader.thread / kWarp != mine.thread / kWarp;
                mark.lanes = !mark.warps;
            } else if (reader.serial == mine.serial && reader.epoch == mine.epoch &&
                       (reader.bytes & mine.bytes) != 0) {
                mark.warps = reader.warps, mark.lanes = reader.lanes;
            }
            store(read, mark);
        }
        at = next;
    }
}

}  // namespace simt
