#include "isolation/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

JsonDocument Parse(std::string_view text) { return JsonDocument::Parse(text, "test").value(); }

TEST(JsonTest, ErrorNamesThePathAndBothTypes) {
  JsonDocument document = Parse(R"({"list":[{"memory":"512"}]})");
  JsonCursor element = document.root().Get("list").value().Elements().value().at(0);
  EXPECT_EQ(element.FindInteger("memory").error().message(),
            "list[0].memory: expected integer, got string");
}

TEST(JsonTest, NullCountsAsAbsent) {
  EXPECT_FALSE(Parse(R"({"a":null})").root().Find("a").value().has_value());
}

TEST(JsonTest, MemberOfSomethingElseThanAnObjectIsAnError) {
  EXPECT_EQ(Parse("[1]").root().Find("a").error().message(), "expected object, got array");
}

TEST(JsonTest, IntegerOutOfRangeIsRefused) {
  JsonDocument document = Parse(R"({"n":70000,"huge":18446744073709551615,"f":1.5})");
  EXPECT_THAT(document.root().FindInteger("n", 0, 65535).error().message(),
              HasSubstr("70000 is not between"));
  EXPECT_FALSE(document.root().FindInteger("huge").ok());
  EXPECT_EQ(document.root().FindInteger("f").error().message(), "f: expected integer, got number");
}

TEST(JsonTest, SyntaxErrorTellsLineAndColumn) {
  Result<JsonDocument> document =
      JsonDocument::Parse("{\n  \"a\": x\n}", "task definition web.json");
  EXPECT_EQ(document.error().message(),
            "task definition web.json: not valid JSON at line 2, column 8");
}

TEST(JsonTest, EarlyEndAndTrailingTextAreRefused) {
  EXPECT_THAT(JsonDocument::Parse("{\"a\":", "x").error().message(), HasSubstr("ends too early"));
  EXPECT_FALSE(JsonDocument::Parse("{} {}", "x").ok());
}

TEST(JsonTest, DepthAndSizeAreLimited) {
  std::string deep(kMaxJsonDepth + 1, '[');
  EXPECT_THAT(JsonDocument::Parse(deep, "x").error().message(), HasSubstr("nested deeper"));
  EXPECT_THAT(JsonDocument::Parse("[1,2,3]", "x", 4).error().message(),
              HasSubstr("longer than 4 bytes"));
  std::string fine = std::string(kMaxJsonDepth, '[') + std::string(kMaxJsonDepth, ']');
  EXPECT_TRUE(JsonDocument::Parse(fine, "x").ok());
}

TEST(JsonTest, UnknownMembersAreListedWithTheirPath) {
  JsonDocument document = Parse(R"({"a":{"known":1,"odd":2}})");
  EXPECT_THAT(document.root().Get("a").value().UnknownMembers({"known"}), ElementsAre("a.odd"));
}

}  // namespace
}  // namespace skiff
