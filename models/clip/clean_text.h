// SPDX-License-Identifier: MIT
// What CLIP's tokenizer does to a text before it looks at its vocabulary (Radford et al. 2021; the reference
// is OpenAI's simple_tokenizer.py without ftfy, which repairs texts of a wrong encoding).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lily::models {

// HTML's characters twice unescaped, white space made single spaces and taken off both ends, lower case.
// Throws if the text is not UTF-8 or longer than 2^28 bytes.
std::string clean_text(std::string_view text);

// The words of a cleaned text, views of it: runs of letters, single digits, runs of other characters but
// white space, the endings 's 't 're 've 'm 'll 'd, and <|startoftext|> and <|endoftext|>.
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace lily::models
