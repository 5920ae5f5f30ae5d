#include "runtime/logs/filter_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace skiff::runtime {
namespace {

struct Case {
  const char* pattern;
  const char* message;
  bool matches;
};

class FilterPatternTest : public testing::TestWithParam<Case> {};

TEST_P(FilterPatternTest, MatchesAsDocumented) {
  const Case& given = GetParam();
  auto pattern = FilterPattern::Parse(given.pattern);
  ASSERT_TRUE(pattern.ok()) << given.pattern << ": " << pattern.error().message();
  EXPECT_EQ(pattern.value().Matches(given.message), given.matches)
      << given.pattern << " on " << given.message;
}

INSTANTIATE_TEST_SUITE_P(
    Terms, FilterPatternTest,
    testing::Values(Case{"", "anything", true}, Case{"  ", "", true},
                    Case{"ERROR", "an ERROR here", true}, Case{"ERROR", "an error here", false},
                    Case{"ERROR disk", "disk ERROR", true}, Case{"ERROR disk", "ERROR", false},
                    Case{"\"not found\"", "page not found", true},
                    Case{"\"not found\"", "found, not", false},
                    Case{"\"say \\\"hi\\\"\"", "say \"hi\"", true},
                    Case{"ERROR -debug", "ERROR", true}, Case{"ERROR -debug", "ERROR debug", false},
                    Case{"-debug", "info", true}, Case{"-\"a b\"", "x a b", false},
                    Case{"?ERROR ?WARN", "WARN", true}, Case{"?ERROR ?WARN", "INFO", false},
                    Case{"?ERROR INFO", "INFO", true}));

INSTANTIATE_TEST_SUITE_P(
    Regex, FilterPatternTest,
    testing::Values(Case{"%4[0-9]{2}%", "status 404", true},
                    Case{"%4[0-9]{2}%", "status 4x4", false}, Case{"%^GET|POST$%", "GET /", true},
                    Case{"%^GET|POST$%", "a GET", false}, Case{"%^GET|POST$%", "a POST", true},
                    Case{"%a.*c%", "xabbbcx", true}, Case{"%^\\d+\\s\\w*$%", "12 ab", true},
                    Case{"%^\\d+\\s\\w*$%", "x12 ab", false}, Case{"%[^a-c]{2,3}%", "abcab", false},
                    Case{"%10\\%%", "is 10%", true}, Case{"%^a?b{2,}$%", "bbbb", true},
                    Case{"%^a?b{2,}$%", "aab", false}));

INSTANTIATE_TEST_SUITE_P(
    Fields, FilterPatternTest,
    testing::Values(Case{"[a, b]", "1 2", true}, Case{"[a, b]", "1 2 3", false},
                    Case{"[ip, ..., status=4*, size]", "1.2.3.4 - x \"GET / HTTP\" 404 9", true},
                    Case{"[ip, ..., status=4*, size]", "1.2.3.4 - \"GET / HTTP\" 200 9", false},
                    Case{"[ip, when, request=*html*]", "h [10/Oct 13:55] \"GET /a.html\"", true},
                    Case{"[n > 5]", "6", true}, Case{"[n > 5]", "5", false},
                    Case{"[n > 5]", "x", false}, Case{"[s = 404 || s = 500]", "500", true},
                    Case{"[s = 404 || s = 500]", "501", false},
                    Case{"[n >= 2 && n < 4, ...]", "3 x y", true},
                    Case{"[n >= 2 && n < 4, ...]", "4", false},
                    Case{"[..., w != \"b\"]", "a b", false}, Case{"[w = %^b+$%]", "bbb", true}));

INSTANTIATE_TEST_SUITE_P(
    Json, FilterPatternTest,
    testing::Values(
        Case{"{ $.level = \"ERR*\" }", R"({"level":"ERROR"})", true},
        Case{"{ $.level = \"ERR*\" }", R"({"level":"INFO"})", false},
        Case{"{ $.level = ERROR }", "ERROR", false}, Case{"{ $.a = 1 }", "{broken", false},
        Case{"{ $.a.b[1] = 7 }", R"({"a":{"b":[1,7]}})", true},
        Case{"{ $.a.b[2] = 7 }", R"({"a":{"b":[1,7]}})", false},
        Case{"{ $.n >= 2.5 }", R"({"n":2.5})", true}, Case{"{ $.n < 2.5 }", R"({"n":2.5})", false},
        Case{"{ $.n = 404 }", R"({"n":404.0})", true},
        Case{"{ $.a = \"x\" && ($.n > 3 || $.l[0] IS NULL) }", R"({"a":"x","n":1,"l":[null]})",
             true},
        Case{"{ $.a = \"x\" && ($.n > 3 || $.l[0] IS NULL) }", R"({"a":"x","n":3})", false},
        Case{"{ $.a = 1 || $.b = 2 && $.c = 3 }", R"({"a":1})", true},
        Case{"{ $.ok IS TRUE }", R"({"ok":true})", true},
        Case{"{ $.ok IS FALSE }", R"({"ok":true})", false},
        Case{"{ $.user NOT EXISTS }", R"({"a":1})", true},
        Case{"{ $.user NOT EXISTS }", R"({"user":null})", false},
        Case{"{ $.a != \"x\" }", R"({"a":"y"})", true}, Case{"{ $.a != \"x\" }", "{}", false},
        Case{"{ $.ip = %10\\.0\\.\\d+% }", R"({"ip":"10.0.12"})", true}));

TEST(FilterPatternErrorTest, WhatIsNoPatternIsRefused) {
  for (const char* text : {"\"open",
                           "a-b",
                           "%open",
                           "%(a)%",
                           "%a{2,1}%",
                           "%[b-a]%",
                           "%a$b%",
                           "[",
                           "[a",
                           "[a,]",
                           "[..., ...]",
                           "[a = 1 || b = 2]",
                           "[n > x]",
                           "{",
                           "{ $.a }",
                           "{ $.a = }",
                           "{ a = 1 }",
                           "{ ($.a = 1 }",
                           "{ $.a = 1 } x",
                           "{ $.a IS MAYBE }",
                           "{ $.a[x] = 1 }",
                           "{ $ = 1 }",
                           "-"}) {
    auto pattern = FilterPattern::Parse(text);
    EXPECT_FALSE(pattern.ok()) << text;
    if (pattern.ok()) continue;
    EXPECT_EQ(pattern.error().message().find("filterPattern: "), 0u) << text;
  }
  EXPECT_FALSE(FilterPattern::Parse(std::string(2000, 'a')).ok());
  EXPECT_FALSE(FilterPattern::Parse("{ " + std::string(100, '(') + "$.a = 1").ok());
}

}  // namespace
}  // namespace skiff::runtime
