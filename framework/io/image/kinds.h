// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "framework/io/file.h"

namespace lily::io {

// What files hold that no decoder here reads, told by their content: a photograph in a format of phones
// arrives as .jpg as often as not. Every Error names the kind and, where a program is at hand, the command
// that makes a PNG of it.

// Throws for files that begin with the signature of another format.
void refuse_other_formats(Bytes bytes, const std::string& name);

// For files of no signature that we know: text, nothing but zeros, or simply no picture.
[[noreturn]] void refuse_unknown(Bytes bytes, const std::string& name);

// "'x.dng' cannot be read: it is WHAT; convert it with: COMMAND". In the command {in} is the file, {out} a
// name for the result, both quoted for a shell.
[[noreturn]] void refuse_kind(const std::string& name, std::string_view what, std::string_view command);

// A camera's raw file, however it was recognised.
[[noreturn]] void refuse_raw(const std::string& name, std::string_view camera_format);

}  // namespace lily::io
