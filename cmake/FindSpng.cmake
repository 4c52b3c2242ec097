# SPDX-License-Identifier: MIT
# libspng as Spng::spng; the distribution's library comes with a pkg-config file only.
include(${CMAKE_CURRENT_LIST_DIR}/find_by_path.cmake)
find_by_path(Spng spng.h spng)
