#include "networking/http/ip_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::networking::http {
namespace {

using testing::HasSubstr;

IpAddress At(const std::string& text) { return IpAddress::Parse(text).value(); }

TEST(IpAddressTest, ReachIsWhoCanGetThere) {
  for (const char* text : {"8.8.8.8", "172.15.0.1", "172.32.0.1", "2600::1", "2002:0808:0808::1",
                           "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"}) {
    EXPECT_EQ(ReachOf(At(text)), Reach::kPublic) << text;
  }
  for (const char* text : {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1",
                           "fc00::1", "fd12::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
                           "2002:0a00:0001::1", "239.1.1.1", "255.255.255.255"}) {
    EXPECT_EQ(ReachOf(At(text)), Reach::kPrivate) << text;
  }
  for (const char* text :
       {"169.254.169.254", "169.254.170.2", "fe80::1", "100.100.100.200", "168.63.129.16",
        "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"}) {
    EXPECT_EQ(ReachOf(At(text)), Reach::kLinkLocal) << text;
  }
  for (const char* text :
       {"127.0.0.1", "127.255.0.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1", "::127.0.0.1"}) {
    EXPECT_EQ(ReachOf(At(text)), Reach::kLoopback) << text;
  }
}

TEST(IpAddressTest, HostsThatResolversTakeForNumbersAreNumbers) {
  for (const char* text : {"127.0.0.1", "127.1", "2130706433", "0x7f000001", "017700000001"}) {
    EXPECT_EQ(IpAddress::ParseHost(text), At("127.0.0.1")) << text;
  }
  EXPECT_EQ(IpAddress::ParseHost("registry.example"), std::nullopt);
}

TEST(IpAddressTest, NobodyLeadsToWhereHeCouldNotStand) {
  auto may = [](const char* from, const char* to) { return CheckLead({At(from)}, At(to)).ok(); };
  for (const char* from : {"8.8.8.8", "10.0.0.1", "169.254.1.1", "127.0.0.1"}) {
    EXPECT_TRUE(may(from, "9.9.9.9"));
    EXPECT_EQ(may(from, "192.168.0.1"), std::string(from) != "8.8.8.8");
    EXPECT_EQ(may(from, "169.254.169.254"), std::string(from) == "169.254.1.1");
    EXPECT_EQ(may(from, "::1"), std::string(from) == "127.0.0.1");
  }
  Result<> refused = CheckLead({std::nullopt}, At("10.0.0.1"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::kDenied);
  EXPECT_THAT(refused.error().message(), HasSubstr("10.0.0.1"));
}

TEST(AddressBlockTest, BlocksAreReadAndHoldTheirAddresses) {
  EXPECT_TRUE(AddressBlock::Parse("10.0.0.0/8")->Contains(At("10.255.0.1")));
  EXPECT_FALSE(AddressBlock::Parse("10.0.0.0/8")->Contains(At("11.0.0.1")));
  EXPECT_FALSE(AddressBlock::Parse("0.0.0.0/0")->Contains(At("2600::1")));
  EXPECT_TRUE(AddressBlock::Parse("fd00::/9")->Contains(At("fd7f::1")));
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.0/", "name/8", "::/129", "10.0.0.0/-1"}) {
    EXPECT_EQ(AddressBlock::Parse(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace skiff::networking::http
