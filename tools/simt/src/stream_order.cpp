// SPDX-License-Identifier: MIT
#include "stream_order.h"

#include <algorithm>
#include <deque>

#include "arena.h"
#include "engine.h"
#include "race_report.h"
#include "races.h"
#include "report.h"
#include "shadow.h"
#include "stream.h"

namespace simt {
namespace {

constexpr size_t kMostPast = 1 << 14;  // pieces of work; older ones count as ordered

struct Present {
    uint32_t stream = 0;
    uint64_t serial = 0;
    KnownWork known;
    const Work* work = nullptr;
    PastWork* past = nullptr;  // of this piece's ranges
    cudaError_t error = cudaSuccess;
};
Present g_present;

std::deque<PastWork>& past() {  // by stamp
    static auto* const made = new std::deque<PastWork>;
    return *made;
}
std::map<uint32_t, uint64_t> g_newest;  // the last serial number of each stream that has run

bool searching() { return instrumented() && xray() == Xray::full; }

bool comes_before(uint32_t stream, uint64_t serial) {
    return stream == g_present.stream || knows(g_present.known, stream, serial);
}

// What has run without an order to the present work; mostly nothing.
std::vector<const PastWork*> unordered_past() {
    std::vector<const PastWork*> found;
    if (std::all_of(g_newest.begin(), g_newest.end(),
                    [](const auto& newest) { return comes_before(newest.first, newest.second); }))
        return found;
    for (const PastWork& work : past())
        if (!comes_before(work.stream, work.serial)) found.push_back(&work);
    return found;
}

PastWork& remember(PastWork work) {
    work.stream = g_present.stream;
    work.serial = g_newest[g_present.stream] = g_present.serial;
    if (past().size() == kMostPast) past().pop_front();
    past().push_back(std::move(work));
    return past().back();
}

Slot slot_in(uint64_t word) { return __builtin_bit_cast(Slot, word); }
constexpr Stamp kSplit = UINT32_MAX;  // as in races.cpp

// Every cell of the bytes [begin, end) of device memory; words of which only a part is meant are split.
template <class Visit>
void each_cell(uintptr_t begin, uintptr_t end, bool split, Visit visit) {
    prepare_races();
    for (uintptr_t at = begin; at < end;) {
        const size_t offset = at - g_shadow.base;
        if (!may_watch(offset)) {
            at += kPage - offset % kPage;
            continue;
        }
        Cell& word = g_cells.words[offset / 4];
        Cell* bytes = g_cells.bytes + offset / 4 * 4;
        const size_t here = std::min<size_t>(4 - offset % 4, end - at);
        if (here < 4 && split && slot_in(word.written).stamp != kSplit && may_split(offset)) {
            std::fill(bytes, bytes + 4, word);
            word.written = __builtin_bit_cast(uint64_t, Slot{kSplit, 0});
        }
        if (slot_in(word.written).stamp != kSplit)
            visit(word, at);
        else
            for (size_t i = 0; i < here; ++i) visit(bytes[offset % 4 + i], at + i);
        if (split) g_cells.lines[offset / 4 / kLine] = 0;
        at += here;
    }
}

// Work without a kernel did not mark what it touched: now there is somebody to find it.
void mark(const PastWork& work) {
    const uint64_t mine = __builtin_bit_cast(uint64_t, Slot{work.first, kSeveral});
    for (const PastWork::Span& span : work.spans)
        each_cell(span.begin, span.end, true, [&](Cell& cell, uintptr_t) {
            const bool older = slot_in(cell.read[0]).stamp < slot_in(cell.read[1]).stamp;
            uint64_t& word = span.write ? cell.written : cell.read[older ? 0 : 1];
            if (slot_in(word).stamp < work.first) word = mine;
        });
}

void report(const PastWork& other, bool other_writes, Slot slot, bool write, uintptr_t address) {
    Fault fault{};
    fault.kind = FaultKind::race;
    fault.error = g_present.error = cudaErrorLaunchFailure;
    fault.address = reinterpret_cast<const void*>(address);
    fault.place = Arena::instance().describe(fault.address);
    fault.remedy = kOrdersStreams;
    fault.other = access_of(other, slot, other_writes);
    fault.what = "a race between two streams: " + g_present.work->label + (write ? " writes" : " reads") +
                 " after " + fault.other.what;
    report_in_host(std::move(fault), g_present.work->site);
}

const PastWork* among(const std::vector<const PastWork*>& works, Stamp stamp) {
    for (const PastWork* work : works)
        if (stamp >= work->first && stamp < work->end) return work;
    return nullptr;
}

}  // namespace

void begin_stream_work(uint32_t stream, uint64_t serial, const KnownWork& known) {
    g_present = {.stream = stream,
                 .serial = serial,
                 .known = known,
                 .work = nullptr,
                 .past = nullptr,
                 .error = cudaSuccess};
}

void begin_piece(const Work& work) {
    g_present.work = &work;
    g_present.past = nullptr;
}
cudaError_t end_piece() {
    g_present.work = nullptr;
    return g_present.error;
}

void access_in_stream(const void* p, size_t bytes, bool write) {
    const auto begin = reinterpret_cast<uintptr_t>(p), end = begin + bytes;
    if (g_present.work == nullptr || bytes == 0 || begin - g_shadow.base >= g_shadow.size || !searching())
        return;
    if (g_present.past == nullptr) {
        PastWork work;
        work.first = take_one_stamp();
        work.end = work.first + 1;
        work.call = g_present.work->label;
        work.site = g_present.work->site;
        g_present.past = &remember(std::move(work));
    }
    g_present.past->spans.push_back({begin, end, write});
    if (g_present.error != cudaSuccess) return;
    const auto others = unordered_past();
    bool kernels = false;
    for (const PastWork* other : others) {
        kernels |= other->function != nullptr;
        for (const PastWork::Span& span : other->spans)
            if ((write || span.write) && span.begin < end && begin < span.end)
                return report(*other, span.write, {}, write, std::max(begin, span.begin));
    }
    if (!kernels) return;
    each_cell(begin, end, false, [&](Cell& cell, uintptr_t address) {
        for (const uint64_t* word : {&cell.written, &cell.read[0], &cell.read[1]}) {
            const Slot slot = slot_in(*word);
            const bool writes = word == &cell.written || (slot.info & kUpdates) != 0;
            if (g_present.error != cudaSuccess || !(write || writes)) continue;
            if (const PastWork* other = among(others, slot.stamp))
                return report(*other, writes, slot, write, address);
        }
    });
}

void order_launch(Launch& launch) {
    launch.first_stamp = launch.oldest_stamp = begin_launch_stamps();
    launch.unordered.clear();
    for (const PastWork* other : unordered_past()) {
        if (other->function == nullptr) mark(*other);
        launch.unordered.push_back({other->first, other->end});
        launch.oldest_stamp = std::min(launch.oldest_stamp, other->first);
    }
}

void launch_has_run(const Launch& launch) {
    if (launch.first_stamp == 0) return;
    PastWork work;
    work.first = launch.first_stamp;
    work.end = take_one_stamp();
    work.function = launch.function;
    work.grid = launch.grid;
    work.block = launch.block;
    work.site = launch.site;
    remember(std::move(work));
}

const PastWork* work_of(Stamp stamp) {
    const auto behind = std::upper_bound(past().begin(), past().end(), stamp,
                                         [](Stamp s, const PastWork& work) { return s < work.first; });
    return behind != past().begin() && stamp < (behind - 1)->end ? &*(behind - 1) : nullptr;
}

Stamp oldest_past_stamp(Stamp otherwise) { return past().empty() ? otherwise : past().front().first; }

void forget_past_before(Stamp stamp) {
    while (!past().empty() && past().front().first < stamp) past().pop_front();
}

void forget_past(const KnownWork& known) {
    if (known == nullptr) {
        past().clear();
        g_newest.clear();
        return;
    }
    std::erase_if(past(), [&](const PastWork& work) { return knows(known, work.stream, work.serial); });
    std::erase_if(g_newest, [&](const auto& newest) { return knows(known, newest.first, newest.second); });
}

}  // namespace simt
