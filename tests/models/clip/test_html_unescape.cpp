// SPDX-License-Identifier: MIT
// Expected values are those of Python 3.11's html.unescape.
#include "models/clip/html_unescape.h"

#include "tests/catch.h"

namespace lily::testing {
namespace {

using models::html_unescape;
using namespace std::string_literals;

TEST_CASE("html_unescape: names, with and without their semicolon", "[clip]") {
    CHECK(html_unescape("a &lt; b &AMP; c") == "a < b & c");
    CHECK(html_unescape("&amp") == "&");
    CHECK(html_unescape("&ampx;") == "&x;");
    CHECK(html_unescape("&notit; &notin; &not;") == "\u00acit; \u2209 \u00ac");
    CHECK(html_unescape("&frac12x &frac123") == "\u00bdx \u00bd3");
    CHECK(html_unescape("&thetasym &thetasym;") == "&thetasym \u03d1");
    CHECK(html_unescape("&CounterClockwiseContourIntegral;") == "\u2233");
    CHECK(html_unescape("&CounterClockwiseContourIntegralx;") == "&CounterClockwiseContourIntegralx;");
    CHECK(html_unescape("&NotEqualTilde;") == "\u2242\u0338");
    CHECK(html_unescape("&Tab;&NewLine;") == "\t\n");
    CHECK(html_unescape("&&amp;&; & &") == "&&&; & &");
    CHECK(html_unescape("&x; &nosuch; R&D") == "&x; &nosuch; R&D");
    CHECK(html_unescape("&amp;lt;") == "&lt;");
    CHECK(html_unescape("&\u00e9; &amp\u00e9") == "&\u00e9; &\u00e9");
    CHECK(html_unescape("") == "");
}

TEST_CASE("html_unescape: numbers, and those that no character has", "[clip]") {
    CHECK(html_unescape("&#65;&#066&#x43;&#X64") == "ABCd");
    CHECK(html_unescape("&#128512;&#x1F600;&#x10ffff&#x10fffd;") == "\U0001f600\U0001f600\U0010fffd");
    CHECK(html_unescape("&#0;&#xD800;&#xdfff;&#x110000;&#99999999999999999999999;") ==
          "\ufffd\ufffd\ufffd\ufffd\ufffd");
    CHECK(html_unescape("&#128;&#x99;&#x81;&#159;") == "\u20ac\u2122\u0081\u0178");
    CHECK(html_unescape("|&#1;&#8;&#11;&#14;&#31;&#127;&#xfdd0;&#xfffe;&#x1ffff;|") == "||");
    CHECK(html_unescape("&#9;&#10;&#12;&#13;") == "\t\n\f\r");
    CHECK(html_unescape("&#;&#x;&#xg;&#a") == "&#;&#x;&#xg;&#a");
    CHECK(html_unescape("a&#0b\0c"s) == "a\ufffdb\0c"s);
}

}  // namespace
}  // namespace lily::testing
