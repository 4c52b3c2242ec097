// SPDX-License-Identifier: MIT
// What a run of style_transfer will take, said before it begins.
#pragma once

#include <string>
#include <vector>

#include "examples/style_transfer/command_line.h"

namespace lily::style_transfer {

// A picture as a run will see it.
struct SizedPicture {
    std::string path;
    int width = 0, height = 0;
};

class Estimate {
  public:
    // Throws if the network has no such layer.
    Estimate(const Settings& s, Device device, std::vector<std::string> layers);

    // Each of these throws, naming the picture and the option that helps, if it is too small for the layers
    // or a run with it takes more memory than there is (a GPU's is not asked for).
    void check_content(const SizedPicture& content) const;
    void check_style(const SizedPicture& style) const;
    // The same for what the run writes.
    void check_outputs(const models::Picture& content, const std::vector<models::Picture>& styles) const;

    void say(const models::Picture& content, const std::vector<models::Picture>& styles) const;

  private:
    double content_megabytes(int64_t width, int64_t height) const;
    double style_megabytes(int64_t width, int64_t height) const;
    void check_picture(const char* option, const char* remedy, const SizedPicture& picture,
                       double megabytes) const;

    const Settings& s_;
    Device device_;
    std::vector<std::string> layers_;
};

}  // namespace lily::style_transfer
