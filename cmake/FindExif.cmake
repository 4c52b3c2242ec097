# SPDX-License-Identifier: MIT
# libexif as Exif::exif; the library comes without a CMake file.
include(${CMAKE_CURRENT_LIST_DIR}/find_by_path.cmake)
find_by_path(Exif libexif/exif-data.h exif)
