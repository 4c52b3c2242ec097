# SPDX-License-Identifier: MIT
# Little CMS as Lcms2::lcms2; the library comes without a CMake file.
include(${CMAKE_CURRENT_LIST_DIR}/find_by_path.cmake)
find_by_path(Lcms2 lcms2.h lcms2)
