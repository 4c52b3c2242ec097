// SPDX-License-Identifier: MIT
#include "framework/io/progress.h"

#include "tests/framework/io/io_test.h"

namespace lily::io {
namespace {

// A stream that is read back, a clock that is set, a terminal of any width.
struct Stage {
    std::FILE* file = std::tmpfile();
    double now = 1000;
    int columns = 80;

    Stage() = default;
    ~Stage() { std::fclose(file); }
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    ProgressOptions options(bool terminal, bool unicode = false) {
        ProgressOptions options;
        options.stream = file;
        options.is_terminal = terminal;
        options.unicode = unicode;
        options.columns = [this] { return columns; };
        options.seconds = [this] { return now; };
        return options;
    }
    std::string output() const {
        std::rewind(file);
        std::string text;
        for (int c = 0; (c = std::fgetc(file)) != EOF;) text += static_cast<char>(c);
        return text;
    }
    std::vector<std::string> parts(char separator) const {
        std::vector<std::string> list(1);
        for (const char c : output()) c == separator ? list.emplace_back() : list.back() += c;
        return list;
    }
};

TEST_CASE("format_duration", "[io][progress]") {
    CHECK(format_duration(7.4) == "0:07");
    CHECK(format_duration(255) == "4:15");
    CHECK(format_duration(7380) == "2:03:00");
    CHECK(format_duration(-1) == "0:00");
}

TEST_CASE("the bar: one line redrawn, within the width, ended once", "[io][progress]") {
    Stage stage;
    {
        ProgressBar bar(1500, stage.options(true));
        for (int i = 1; i <= 630; ++i) {
            stage.now += 0.3;
            bar.update(i, "content 12.3  style 4.56");
        }
        bar.finish();
        bar.finish();
    }
    const auto draws = stage.parts('\r');
    REQUIRE(draws.size() == 631);
    CHECK(draws.back() ==
          " 42% =======>......... 630/1500  content 12.3  style 4.56  3.33 it/s  4:21 left\x1b[K\n");
    for (const std::string& draw : draws) CHECK(draw.size() <= 79 + 4);
    CHECK(stage.output().find('\n') == stage.output().size() - 1);
}

TEST_CASE("the bar in unicode, and on narrow terminals", "[io][progress]") {
    for (const auto& [columns, expected] :
         {std::pair(60, " 50% ━━━━━━━━━━━━━━━━━━━━──────────────────── 5/10"),
          std::pair(26, " 50% ━━━━━━━────── 5/10"), std::pair(15, " 50%  5/10"), std::pair(6, " 50% "),
          std::pair(1, " ")}) {
        Stage stage;
        stage.columns = columns;
        ProgressBar bar(10, stage.options(true, true));
        bar.update(5, "");
        std::string drawn = stage.output();
        drawn = drawn.substr(1, drawn.find('\x1b') - 1);
        int width = 0;
        for (const char c : drawn) width += (c & 0xC0) != 0x80;
        INFO(drawn);
        CHECK(width <= std::max(columns - 1, 1));
        if (columns != 26) CHECK(drawn == expected);
    }
}

TEST_CASE("the bar is drawn ten times a second at most, and its last state always", "[io][progress]") {
    Stage stage;
    ProgressBar bar(100'000, stage.options(true));
    for (int i = 1; i <= 10'000; ++i) {
        stage.now += 0.001;
        bar.update(i, std::to_string(i));
    }
    bar.finish();
    const auto draws = stage.parts('\r');
    CHECK(draws.size() >= 95);
    CHECK(draws.size() <= 105);
    CHECK(draws.back().find(" 10000/100000  10000") != std::string::npos);
}

TEST_CASE("messages stand above the bar", "[io][progress]") {
    Stage stage;
    ProgressBar bar(10, stage.options(true));
    bar.update(1, "");
    bar.message("saved x.png");
    bar.finish();
    bar.message("done");
    const std::string output = stage.output();
    CHECK(output.find("\r\x1b[Ksaved x.png\n\r 10%") != std::string::npos);
    CHECK(output.ends_with("\ndone\n"));
}

TEST_CASE("without a terminal: plain lines now and then", "[io][progress]") {
    SECTION("a short run: first, each tenth, last") {
        Stage stage;
        ProgressBar bar(1000, stage.options(false));
        for (int i = 1; i <= 1000; ++i) {
            stage.now += 0.01;
            bar.update(i, "loss 1");
        }
        bar.finish();
        const auto lines = stage.parts('\n');
        REQUIRE(lines.size() == 12);  // 11 and the empty rest
        CHECK(lines[0] == "1/1000  loss 1  100 it/s  0:10 left");
        CHECK(lines[1] == "100/1000  loss 1  100 it/s  0:09 left");
        CHECK(lines[10] == "1000/1000  loss 1  100 it/s");
        CHECK(stage.output().find('\r') == std::string::npos);
    }
    SECTION("minutes: every ten seconds; hours: every minute") {
        for (const auto& [iterations, fewest, most] :
             {std::tuple(300, 28, 42), std::tuple(14'400, 238, 262)}) {
            Stage stage;
            ProgressBar bar(iterations, stage.options(false));
            for (int i = 1; i <= iterations; ++i) {
                stage.now += 1;
                bar.update(i, "");
            }
            const auto lines = static_cast<int>(stage.parts('\n').size());
            CHECK(lines >= fewest);
            CHECK(lines <= most);
        }
    }
    SECTION("a run that stops early shows its last state") {
        Stage stage;
        {
            ProgressBar bar(1000, stage.options(false));
            bar.update(1, "a");
            bar.update(2, "b");
        }
        CHECK(stage.output() == "1/1000  a\n2/1000  b\n");
    }
}

TEST_CASE("speed follows a change, and a resumed run counts its own iterations only", "[io][progress]") {
    Stage stage;
    ProgressOptions options = stage.options(true);
    options.first = 500;
    ProgressBar bar(1000, options);
    for (int i = 501; i <= 600; ++i) stage.now += 0.1, bar.update(i, "");
    CHECK(stage.parts('\r').back().find("10.0 it/s  0:40 left") != std::string::npos);
    for (int i = 601; i <= 620; ++i) stage.now += 2, bar.update(i, "");
    CHECK(stage.parts('\r').back().find("2.00 s/it") != std::string::npos);
}

TEST_CASE("quiet prints nothing", "[io][progress]") {
    for (const bool terminal : {false, true}) {
        Stage stage;
        ProgressOptions options = stage.options(terminal);
        options.quiet = true;
        ProgressBar bar(10, options);
        bar.update(1, "x");
        bar.message("y");
        bar.update(10, "x");
        bar.finish();
        CHECK(stage.output().empty());
    }
}

}  // namespace
}  // namespace lily::io
