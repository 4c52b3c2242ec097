// SPDX-License-Identifier: MIT
// Stands in for the toolkit's header of that name; a source that includes it compiles with g++ and runs on
// the CPU.
#pragma once

#include "cuda_runtime_api.h"
#include "simt/atomics.h"
#include "simt/device.h"
#include "simt/launch.h"
#include "simt/math.h"
#include "simt/vector_types.h"
