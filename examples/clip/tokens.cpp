// SPDX-License-Identifier: MIT
// clip tokens and clip embed
#include <fmt/ranges.h>

#include "examples/clip/commands.h"
#include "examples/clip/data.h"
#include "examples/clip/model.h"
#include "framework/io/npy_tensor.h"

namespace lily::clip {

using namespace lily::models;

int run(const TokensSettings& s) {
    const ClipTokenizer tokenizer = ClipTokenizer::load(s.vocabulary);
    for (const std::string& text : s.file.empty() ? s.texts : read_lines(s.file, true))
        fmt::print("{}\n", fmt::join(tokenizer.tokenize(text, LongText::truncate, s.context_length), " "));
    io::finish_stdout();
    return 0;
}

int run(const EmbedSettings& s) {
    check(io::extension_of(s.out) == ".npy", "--out names a .npy file, got {}", io::in_quotes(s.out));
    io::check_writable(s.out);
    const std::unique_ptr<Clip> model = open_model(s);
    Vectors vectors;
    if (!s.images.empty()) {
        vectors = vectors_of_files(s, *model, expand_pictures(s.images));
        check(!vectors.names.empty(), "none of the pictures can be read");
    } else {
        vectors.names = s.texts;
        if (!s.file.empty())
            for (std::string& line : read_lines(s.file, true)) vectors.names.push_back(std::move(line));
        vectors.features = vectors_of_texts(*model, open_tokenizer(s.vocabulary, *model), vectors.names);
    }
    const std::string names = s.out.substr(0, s.out.size() - 4) + ".txt";
    io::save_npy(s.out, vectors.features);
    io::write_file_atomically(names, fmt::format("{}\n", fmt::join(vectors.names, "\n")));
    s.say("{} vectors of {} numbers: {}, their names: {}", vectors.names.size(), vectors.features.size(1),
          s.out, names);
    return 0;
}

}  // namespace lily::clip
