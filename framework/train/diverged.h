// SPDX-License-Identifier: MIT
#pragma once

#include "framework/error.h"

namespace lily::train {

// A loss or a parameter became infinite or NaN. Run::loop keeps the last good state and ends the run.
class Diverged : public Error {
  public:
    using Error::Error;
};

}  // namespace lily::train
