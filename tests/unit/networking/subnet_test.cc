#include "networking/subnet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "networking/firewall.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

using testing::HasSubstr;

Ipv4Prefix Prefix(const char* text) { return Ipv4Prefix::Parse(text).value(); }

TEST(SubnetTest, TheFirstPrefixThatMeetsNothingIsChosen) {
  EXPECT_EQ(ChoosePrefix(CandidatePrefixes(), {}).value().ToString(), "172.31.0.0/20");
  EXPECT_EQ(ChoosePrefix(CandidatePrefixes(), {Prefix("172.31.0.0/24")}).value().ToString(),
            "172.31.16.0/20");
  EXPECT_EQ(ChoosePrefix(CandidatePrefixes(), {Prefix("172.16.0.0/12")}).value().ToString(),
            "10.88.0.0/20");
}

TEST(SubnetTest, AHostThatRoutesEverythingHasNoPrefixLeft) {
  Result<Ipv4Prefix> chosen =
      ChoosePrefix(CandidatePrefixes(), {Prefix("172.16.0.0/12"), Prefix("10.0.0.0/8")});
  ASSERT_FALSE(chosen.ok());
  EXPECT_EQ(chosen.error().code(), Code::kExhausted);
}

TEST(SubnetTest, InstallationsNeverShareNames) {
  Installation standard = InstallationOf("/var/lib/skiff");
  EXPECT_EQ(standard.bridge, "skiff0");
  EXPECT_EQ(standard.table, "skiff");
  Installation other = InstallationOf("/srv/skiff");
  Installation third = InstallationOf("/srv/skiff2");
  EXPECT_THAT(other.bridge, testing::MatchesRegex("skf[0-9a-f]{8}"));
  EXPECT_THAT(other.table, testing::MatchesRegex("skiff_[0-9a-f]{8}"));
  EXPECT_NE(other.bridge, third.bridge);
  EXPECT_NE(other.table, third.table);
  EXPECT_NE(other.port_prefix, third.port_prefix);
  EXPECT_NE(other.port_prefix, standard.port_prefix);
}

TEST(SubnetTest, ATrailingSlashMakesNoOtherInstallation) {
  EXPECT_EQ(InstallationOf("/srv/skiff/").bridge, InstallationOf("/srv/skiff").bridge);
  EXPECT_EQ(InstallationOf("/srv/../srv/skiff").bridge, InstallationOf("/srv/skiff").bridge);
  EXPECT_EQ(InstallationOf("/var/lib/skiff/").bridge, "skiff0");
}

TEST(SubnetTest, HostInterfaceNamesFitAndDiffer) {
  Installation installation = InstallationOf("/srv/skiff");
  std::string first = HostInterfaceName(installation, "eni-0123456789abcdef0");
  std::string second = HostInterfaceName(installation, "eni-0123456789abcdef1");
  EXPECT_EQ(first.size(), kMaxInterfaceName);
  EXPECT_EQ(first.substr(0, 6), installation.port_prefix);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, HostInterfaceName(installation, "eni-0123456789abcdef0"));
}

TEST(SubnetTest, ItsFileSurvivesARoundTrip) {
  Ipv4Prefix prefix = Prefix("10.88.16.0/20");
  Subnet subnet{InstallationOf("/srv/skiff"), prefix, prefix.Nth(1), 0};
  EXPECT_EQ(DecodeSubnetFile(EncodeSubnetFile(subnet), "subnet.json").value(), prefix);
}

TEST(SubnetTest, ABrokenFileNamesTheMember) {
  Result<Ipv4Prefix> decoded = DecodeSubnetFile(R"({"prefix": "10.88.0.0"})", "subnet.json");
  ASSERT_FALSE(decoded.ok());
  EXPECT_THAT(decoded.error().message(), HasSubstr("prefix: '10.88.0.0': expected a prefix like"));
  for (const char* bad : {"", "[]", "{}", R"({"prefix": 4})", R"({"prefix": "10.0.0.0/8"})",
                          R"({"prefix": "10.0.0.0/30"})"})
    EXPECT_FALSE(DecodeSubnetFile(bad, "subnet.json").ok()) << bad;
}

TEST(FirewallTest, TheRulesetNamesOnlyItsOwnInstallation) {
  Ipv4Prefix prefix = Prefix("10.88.16.0/20");
  Subnet subnet{InstallationOf("/srv/skiff"), prefix, prefix.Nth(1), 0};
  std::string ruleset = BaseRuleset(subnet);
  EXPECT_THAT(ruleset, HasSubstr("table inet " + subnet.installation.table + " {"));
  EXPECT_THAT(ruleset, HasSubstr("ip saddr 10.88.16.0/20 oifname != \"" +
                                 subnet.installation.bridge + "\" masquerade"));
  EXPECT_THAT(ruleset, HasSubstr("iifname != \"" + subnet.installation.port_prefix + "*\" accept"));
  for (const char* placeholder : {"TABLE", "BRIDGE", "PORTS", "PREFIX", "skiff0"})
    EXPECT_THAT(ruleset, testing::Not(HasSubstr(placeholder)));
}

}  // namespace
}  // namespace skiff::networking
