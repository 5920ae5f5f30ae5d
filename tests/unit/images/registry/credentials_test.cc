#include "images/registry/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "images/registry/challenge.h"
#include "images/registry/settings.h"

namespace skiff::images::registry {
namespace {

using testing::HasSubstr;

TEST(ChallengeTest, SchemesAndParametersAreRead) {
  std::vector<Challenge> all =
      ParseChallenges(R"(Basic realm="x", Bearer realm="https://t/a,b",service="s\"q",scope=c)")
          .value();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].scheme, "basic");
  EXPECT_EQ(all[1].Find("realm"), "https://t/a,b");
  EXPECT_EQ(all[1].Find("service"), "s\"q");
  EXPECT_EQ(all[1].Find("scope"), "c");
}

TEST(ChallengeTest, HostileHeadersAreRefused) {
  std::string many = "Bearer a=b";
  for (int i = 0; i < 50; ++i) many += ",a=b";
  for (const std::string& text :
       {std::string(), std::string("=="), std::string("Bearer realm=\"open"), many,
        std::string("Bearer realm=\"a\x01\""), std::string(9000, 'a')}) {
    EXPECT_FALSE(ParseChallenges(text).ok()) << text.substr(0, 50);
  }
}

TEST(CredentialsTest, TheMostSpecificEntryWins) {
  CredentialConfig config = CredentialConfig::Decode(R"({"auths": {
    "https://index.docker.io/v1/": {"auth": "YTpi"}, "r:5000": {"username": "u", "password": "p"},
    "r:5000/team": {"identitytoken": "t"}, "empty": {}}, "credHelpers": {"h": "one"}})",
                                                     "config.json")
                                .value();
  EXPECT_EQ(config.Find("docker.io", "library/nginx")->password, "b");
  EXPECT_EQ(config.Find("r:5000", "app")->user, "u");
  EXPECT_EQ(config.Find("r:5000", "team/app")->identity_token, "t");
  EXPECT_FALSE(config.Find("empty", "app").has_value());
  EXPECT_EQ(config.HelperFor("h"), "one");
  EXPECT_EQ(config.HelperFor("r:5000"), "");
}

TEST(CredentialsTest, WhatIsStoredIsFoundAndTheRestStays) {
  bool is_changed = false;
  std::string text = CredentialConfig::WithEntry(R"({"psFormat": "x"})", "config.json", "r",
                                                 Credential{"u", "p:q", ""}, &is_changed)
                         .value();
  EXPECT_THAT(text, HasSubstr("psFormat"));
  EXPECT_EQ(CredentialConfig::Decode(text, "").value().Find("r", "a")->password, "p:q");
  text = CredentialConfig::WithEntry(text, "", "r", std::nullopt, &is_changed).value();
  EXPECT_TRUE(is_changed);
  EXPECT_FALSE(CredentialConfig::Decode(text, "").value().Find("r", "a").has_value());
  CredentialConfig::WithEntry(text, "", "r", std::nullopt, &is_changed).value();
  EXPECT_FALSE(is_changed);
}

TEST(SettingsTest, EachBadMemberIsNamed) {
  Settings settings = DecodeSettings(R"({"registries": {"r:5000": {"insecure": true,
    "mirrors": ["m"]}}, "attempts": 7})",
                                     "registries.json")
                          .value();
  EXPECT_TRUE(settings.For("r:5000").is_insecure);
  EXPECT_FALSE(settings.For("r").is_insecure);
  EXPECT_EQ(settings.attempts, 7u);
  for (auto [text, word] :
       {std::pair(R"({"atempts": 1})", "atempts"), std::pair(R"({"attempts": 0})", "attempts"),
        std::pair(R"({"registries": {"r/x": {}}})", "r/x"),
        std::pair(R"({"registries": {"r": {"leadsTo": ["10.0.0.0/33"]}}})",
                  "registries.r.leadsTo: '10.0.0.0/33' is neither"),
        std::pair(R"({"registries": {"r": {"foreignLayers": "yes"}}})",
                  "registries.r.foreignLayers: expected boolean"),
        std::pair(R"({"certificateDirectories": ["certs"]})", "'certs' is not an absolute path"),
        std::pair(R"({"helperSeconds": 0})", "helperSeconds"),
        std::pair(R"({"registries": {"r": {"tls": 1}}})", "tls")}) {
    Result<Settings> refused = DecodeSettings(text, "registries.json");
    ASSERT_FALSE(refused.ok()) << text;
    EXPECT_THAT(refused.error().message(), HasSubstr(word));
  }
}

}  // namespace
}  // namespace skiff::images::registry
