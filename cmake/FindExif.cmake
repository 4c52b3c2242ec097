# SPDX-License-Identifier: MIT
# libexif as Exif::exif; the library comes without a CMake file.
find_path(Exif_INCLUDE_DIR libexif/exif-data.h)
find_library(Exif_LIBRARY exif)
mark_as_advanced(Exif_INCLUDE_DIR Exif_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Exif REQUIRED_VARS Exif_LIBRARY Exif_INCLUDE_DIR)

if(Exif_FOUND AND NOT TARGET Exif::exif)
    add_library(Exif::exif UNKNOWN IMPORTED)
    set_target_properties(Exif::exif PROPERTIES IMPORTED_LOCATION "${Exif_LIBRARY}"
                          INTERFACE_INCLUDE_DIRECTORIES "${Exif_INCLUDE_DIR}")
endif()
