// SPDX-License-Identifier: MIT
// Data races. Beside every word of global and shared memory stand its last write and two reads of different
// warps: whoever writes next races with one of the two unless both come before. Words that are touched by
// parts have that per byte. Order is what order.h says: barriers and __syncwarp in a block, releases and
// acquires everywhere.
#pragma once

#include <cstddef>
#include <cstdint>

#include "order.h"
#include "record.h"

namespace simt {

// Who, and how: one word of a cell.
struct Slot {
    Stamp stamp;
    uint32_t info;  // see races.cpp
};
struct Cell {
    uint64_t written, read[2];
};

// The cells of one piece of memory, and those of its bytes.
struct Cells {
    Cell* words = nullptr;
    Cell* bytes = nullptr;
    uint64_t* lines = nullptr;  // of 16 words: the two stamps that the reads of all of them bear, or 0
    size_t count = 0;           // of words
};
Cells make_cells(size_t bytes);
void drop_cells(Cells& cells);
void clear_cells(Cells& cells);

void prepare_races();  // reserves the cells of global memory
void forget_races();   // and of all past launches
// Of freed memory; all addresses below `top` have been given away.
void forget_races(uintptr_t address, size_t bytes, uintptr_t top);

// Looks at what a warp has done in its present interval.
class RaceCheck {
  public:
    RaceCheck(Worker& worker, unsigned warp);
    ~RaceCheck() { leave(); }
    RaceCheck(const RaceCheck&) = delete;
    RaceCheck& operator=(const RaceCheck&) = delete;

    // False: not a pattern that can be looked at as a whole.
    bool regular(const Record& record, uint32_t lanes);
    void irregular(const Record& record, uint32_t lanes, const LaneAddresses& addresses);

  private:
    enum class Relation : uint8_t { before, same, other };

    void begin(const Record& record);
    void words(uintptr_t address, size_t n, uint32_t info, size_t words_per_lane);
    bool read_word(Cell& cell, uint32_t info, uintptr_t address);
    void place(uintptr_t address, uint32_t info);
    template <bool kWrites>
    void visit(Cell& cell, uint32_t info, uintptr_t address);
    void read_cell(Cell& cell, uint32_t info, uintptr_t address);
    void write_cell(Cell& cell, uint32_t info, uintptr_t address);
    void keep_reader(Cell& cell, uint32_t info);
    void check(Slot other, bool other_writes, uint32_t info, uintptr_t address);
    Relation relate(Stamp stamp);
    bool enter(uintptr_t offset);  // a page of global memory; false: it has no cells
    void leave();
    [[noreturn]] void report(Slot other, bool other_writes, Relation relation, uint32_t info,
                             uintptr_t address);

    Worker& worker_;
    const unsigned warp_;
    Stamp mine_, floor_ = 0;  // what is older than the latter is in order
    Stamp launch_ = 0;        // the first of this launch
    Interval interval_;
    bool global_ = false, write_ = false, updates_ = false;
    size_t bytes_ = 0;
    uint32_t info_ = 0, site_ = 0;
    uintptr_t base_ = 0;
    Cells cells_;
    union {  // two readers without an order to this warp: a third changes nothing
        Stamp passed_[2] = {UINT32_MAX, UINT32_MAX};
        uint64_t passed_both_;
    };
    uint64_t page_ = UINT64_MAX;
    bool usable_ = true;
    struct {
        Stamp stamp = 0;
        Relation relation = Relation::before;
    } memo_[4];
};

}  // namespace simt
