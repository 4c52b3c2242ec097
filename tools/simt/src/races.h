// SPDX-License-Identifier: MIT
// Data races: per four bytes, who wrote last and who read last. Two threads of a block race when no barrier
// lies between their accesses, lanes of a warp when no __syncwarp does either; two blocks of a launch when
// both write.
#pragma once

#include <cstddef>
#include <cstdint>

namespace simt {

class Worker;

enum class Access : uint8_t { read, write, atomic };

// cells: two words per four bytes of the memory that begins at offset 0.
void check_races(Worker& worker, uint64_t* cells, size_t offset, size_t bytes, Access access, bool global,
                 const void* site, const void* address);

}  // namespace simt
