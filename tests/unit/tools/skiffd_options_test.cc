#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/skiffd/options.h"

namespace skiff::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DaemonOptionsTest, PathsDeriveFromTheRoots) {
  auto parsed = ParseDaemonArguments({"--data-root", "/d/", "--run-root", "/r"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  EXPECT_EQ(parsed.options->state_directory, "/d/state");
  EXPECT_EQ(parsed.options->socket, "/r/skiffd.sock");
  EXPECT_EQ(parsed.options->settings.region, "us-east-1");
}

TEST(DaemonOptionsTest, AddressesAreLiterals) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1:0").value().text(), "127.0.0.1:0");
  EXPECT_EQ(ParseListenAddress("[::1]:80").value().text(), "[::1]:80");
  EXPECT_TRUE(ParseListenAddress("[::1]:80").value().is_loopback());
  EXPECT_FALSE(ParseListenAddress("0.0.0.0:80").value().is_loopback());
  for (const char* text : {"localhost:80", "127.0.0.1", "127.0.0.1:65536", "::1:80", ":80"}) {
    EXPECT_THAT(ParseListenAddress(text).error().message(), HasSubstr(text));
  }
}

TEST(DaemonOptionsTest, WhatIsWrongIsNamed) {
  struct Case {
    std::vector<std::string> arguments;
    std::string words;
  };
  for (const Case& c : std::vector<Case>{
           {{"--anonymous", "--listen", "0.0.0.0:1"}, "--anonymous: --listen 0.0.0.0:1"},
           {{"--anonymous", "--keys", "/k"}, "--anonymous and --keys"},
           {{"--account-id", "12"}, "--account-id"},
           {{"--region", "Mars!"}, "--region"},
           {{"--config", "/nonexistent.json"}, "/nonexistent.json"},
           {{"--bogus"}, "--bogus"},
       }) {
    auto parsed = ParseDaemonArguments(c.arguments);
    EXPECT_FALSE(parsed.options.has_value());
    EXPECT_EQ(parsed.status, 2);
    EXPECT_THAT(parsed.error, HasSubstr(c.words));
  }
}

TEST(DaemonOptionsTest, AConfigurationSaysTheSameAsFlags) {
  auto parsed = ParseDaemonArguments({"--listen", "127.0.0.1:1", "--listen", "[::1]:2",
                                      "--data-root", "/d", "--anonymous", "--allow-reset"});
  ASSERT_TRUE(parsed.options) << parsed.error;
  std::string text = EncodeOptions(*parsed.options);
  std::vector<std::string> flags = FlagsOfConfig(text, "c").value();
  auto again = ParseDaemonArguments(flags);
  ASSERT_TRUE(again.options) << again.error;
  EXPECT_EQ(EncodeOptions(*again.options), text);
  EXPECT_THAT(FlagsOfConfig(R"({"ephemeral":false,"region":"eu-west-1"})", "c").value(),
              ElementsAre("--region=eu-west-1"));
  EXPECT_THAT(FlagsOfConfig(R"({"colour":1})", "c").error().message(), HasSubstr("colour"));
  EXPECT_THAT(FlagsOfConfig(R"({"anonymous":"yes"})", "c").error().message(),
              HasSubstr("anonymous"));
}

}  // namespace
}  // namespace skiff::tools
