# SPDX-License-Identifier: MIT
# libimagequant as Imagequant::imagequant; Debian's package comes without a CMake file.
include(${CMAKE_CURRENT_LIST_DIR}/find_by_path.cmake)
find_by_path(Imagequant libimagequant.h imagequant)
