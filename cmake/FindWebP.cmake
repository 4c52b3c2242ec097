# SPDX-License-Identifier: MIT
# libwebp as WebP::webp; Debian's package comes without a CMake file.
include(${CMAKE_CURRENT_LIST_DIR}/find_by_path.cmake)
find_by_path(WebP webp/decode.h webp)
