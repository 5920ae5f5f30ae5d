#include "networking/address.h"

#include <gtest/gtest.h>

namespace skiff::networking {
namespace {

Ipv4Address Address(const char* text) { return Ipv4Address::Parse(text).value(); }
Ipv4Prefix Prefix(const char* text) { return Ipv4Prefix::Parse(text).value(); }

TEST(Ipv4AddressTest, ParsesAndPrintsDottedQuads) {
  EXPECT_EQ(Address("172.31.0.5").ToString(), "172.31.0.5");
  EXPECT_EQ(Address("255.255.255.255").bits(), 0xffffffffU);
  EXPECT_EQ(Address("1.2.3.4").NetworkBytes(), "\x01\x02\x03\x04");
}

TEST(Ipv4AddressTest, RefusesEverythingElse) {
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4", "1.2.3.4 ",
                          "0x1.2.3.4", "1..3.4", "::1", "localhost"}) {
    Result<Ipv4Address> parsed = Ipv4Address::Parse(bad);
    ASSERT_FALSE(parsed.ok()) << bad;
    EXPECT_EQ(parsed.error().code(), Code::kInvalid);
    EXPECT_NE(parsed.error().message().find("expected an IPv4 address"), std::string::npos);
  }
}

TEST(Ipv4PrefixTest, KnowsItsAddresses) {
  Ipv4Prefix prefix = Prefix("172.31.16.0/20");
  EXPECT_EQ(prefix.size(), 4096U);
  EXPECT_EQ(prefix.Nth(0).ToString(), "172.31.16.0");
  EXPECT_EQ(prefix.Nth(4095).ToString(), "172.31.31.255");
  EXPECT_TRUE(prefix.Contains(Address("172.31.31.255")));
  EXPECT_FALSE(prefix.Contains(Address("172.31.32.0")));
  EXPECT_TRUE(Prefix("0.0.0.0/0").Contains(Address("8.8.8.8")));
  EXPECT_EQ(Prefix("10.0.0.1/32").size(), 1U);
}

TEST(Ipv4PrefixTest, OverlapsEitherWayRound) {
  EXPECT_TRUE(Prefix("172.16.0.0/12").Overlaps(Prefix("172.31.16.0/20")));
  EXPECT_TRUE(Prefix("172.31.16.0/20").Overlaps(Prefix("172.16.0.0/12")));
  EXPECT_FALSE(Prefix("172.31.0.0/20").Overlaps(Prefix("172.31.16.0/20")));
}

TEST(Ipv4PrefixTest, RefusesBitsBelowTheMaskAndNamesTheNetwork) {
  Result<Ipv4Prefix> parsed = Ipv4Prefix::Parse("172.31.1.0/20");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.error().message(),
            "'172.31.1.0/20': has bits below its mask; the network is 172.31.0.0/20");
  for (const char* bad : {"172.31.0.0", "172.31.0.0/33", "172.31.0.0/", "172.31.0.0/-1", "/20"})
    EXPECT_FALSE(Ipv4Prefix::Parse(bad).ok()) << bad;
}

TEST(MacAddressTest, DerivesFromTheAddressAndIsLocallyAdministered) {
  MacAddress mac = MacAddress::ForAddress(Address("172.31.0.5"));
  EXPECT_EQ(mac.ToString(), "0a:58:ac:1f:00:05");
  EXPECT_EQ(mac.bytes()[0] & 3, 2);  // local, unicast
  MacAddress host_end = MacAddress::ForHostEnd(Address("172.31.0.5"));
  EXPECT_EQ(host_end.bytes()[0] & 3, 2);
  EXPECT_NE(mac, host_end);
}

TEST(MacAddressTest, ParsesWhatItPrints) {
  MacAddress mac = MacAddress::ForAddress(Address("10.88.255.1"));
  EXPECT_EQ(MacAddress::Parse(mac.ToString()).value(), mac);
  for (const char* bad :
       {"", "0a:58:ac:1f:00", "0a:58:ac:1f:00:0g", "0a58ac1f0005", "a:58:ac:1f:0:5"})
    EXPECT_FALSE(MacAddress::Parse(bad).ok()) << bad;
}

}  // namespace
}  // namespace skiff::networking
