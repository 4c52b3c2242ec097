// SPDX-License-Identifier: MIT
#include "race_report.h"

#include "arena.h"
#include "engine.h"
#include "shadow.h"

namespace simt {
namespace {

std::string text(uint3 at) {
    return "(" + std::to_string(at.x) + "," + std::to_string(at.y) + "," + std::to_string(at.z) + ")";
}

uint3 unfold(uint64_t index, dim3 shape) {
    return {static_cast<unsigned>(index % shape.x), static_cast<unsigned>(index / shape.x % shape.y),
            static_cast<unsigned>(index / (uint64_t{shape.x} * shape.y))};
}

std::string access_text(bool write, Kind kind, bool updates) {
    if (updates) return kind == atomic_block ? "an atomic of block scope" : "an atomic";
    const char* how = kind == plain ? "" : (kind == as_volatile ? "volatile " : "atomic ");
    return std::string(how[0] == 'a' ? "an " : "a ") + how + (write ? "write" : "read");
}

std::string remedy(const RaceReport& race, bool same_block) {
    const Kind ours = kind_in(race.info), theirs = kind_in(race.other.info);
    if (race.same_warp) return "__syncwarp() between the two";
    if (same_block && (ours == plain) != (theirs == plain) && !race.global)
        return "__syncthreads() between the two, or an atomic in both places";
    if (same_block) return "__syncthreads() between the two";
    if (ours != plain && theirs != plain)
        return "atomics of device scope: those of block scope are for one block";
    if (ours != plain || theirs != plain)
        return "an atomic in both places, or what orders two blocks: a second launch, or a fence and an "
               "atomic that "
               "the other block reads";
    if (race.write && race.other_write)
        return "an atomic, or a place for each block (that both write the same value does not help)";
    return "a second launch; or a __threadfence() after the first and then an atomic, which the other block "
           "reads, and "
           "a __threadfence(), before the second";
}

}  // namespace

const void* whole_site(const void* kernel, uint32_t site) {
    const auto near = reinterpret_cast<uintptr_t>(kernel);
    return reinterpret_cast<const void*>(
        near + static_cast<uintptr_t>(int64_t{static_cast<int32_t>(site - static_cast<uint32_t>(near))}));
}

Fault::Access access_of(const PastWork& work, Slot slot, bool writes) {
    Fault::Access access;
    Frame at = locate(work.site);
    if (work.function == nullptr) {
        access.what = "a " + std::string(writes ? "write" : "read") + " by " + work.call;
        access.in_kernel = false;
    } else {
        at = locate(whole_site(work.function, site_of_number(slot.info >> kSiteShift)));
        access.what = access_text(writes, kind_in(slot.info), (slot.info & kUpdates) != 0) + " by kernel " +
                      kernel_name(work.function);
        const Interval& interval = interval_of(slot.stamp);
        access.block = unfold(interval.block, work.grid);
        access.thread = unfold(interval.warp * kWarp + lane_of(slot.info), work.block);
    }
    access.file = at.file;
    access.line = at.line;
    access.function = at.function;
    return access;
}

void report_race(Worker& worker, const RaceReport& race) {
    const Launch& launch = *worker.launch;
    const bool same_launch = race.other.stamp >= launch.first_stamp;
    const Interval& other = interval_of(race.other.stamp);
    const bool same_block = same_launch && (race.same_warp || other.block == worker.block_index);
    Fault fault{};
    fault.kind = FaultKind::race;
    fault.error = cudaErrorLaunchFailure;
    fault.address = reinterpret_cast<const void*>(race.address);
    if (race.global) fault.place = Arena::instance().describe(fault.address);
    Fault::Access& first = fault.other;
    if (const PastWork* work = same_launch ? nullptr : work_of(race.other.stamp); work != nullptr) {
        first = access_of(*work, race.other, race.other_write);
        fault.remedy = kOrdersStreams;
        fault.what = std::string("a race between two streams: ") + (race.write ? "written" : "read") +
                     " after " + first.what;
        worker.fail_at(race.warp * kWarp + lane_of(race.info), std::move(fault),
                       whole_site(launch.function, race.site));
    }
    first.block = unfold(other.block, launch.grid);
    first.thread = unfold(other.warp * kWarp + lane_of(race.other.info), launch.block);
    // of several lanes that did the same, any other than the first will do
    unsigned lane = lane_of(race.info);
    const bool same_lane = race.same_warp && lane == lane_of(race.other.info);
    if (same_lane && (race.info & kSeveral) != 0) ++lane;
    const Frame at = locate(whole_site(launch.function, site_of_number(race.other.info >> kSiteShift)));
    first.file = at.file;
    first.line = at.line;
    first.function = at.function;
    first.what = access_text(race.other_write, kind_in(race.other.info), (race.other.info & kUpdates) != 0);
    fault.remedy = remedy(race, same_block);
    fault.what =
        std::string("a race in ") + (race.global ? "global" : "shared") +
        " memory: " + (race.write ? "written" : "read") + " after " +
        access_text(race.other_write, kind_in(race.other.info), (race.other.info & kUpdates) != 0) +
        (same_lane && (race.info & kSeveral) == 0 ? " by other lanes of the warp than" : " by") + " thread " +
        text(first.thread) +
        (same_block ? " of the block, with no barrier in between" : " of another block of the launch");
    worker.fail_at(race.warp * kWarp + lane, std::move(fault), whole_site(launch.function, race.site));
}

}  // namespace simt
