#include "networking/resolver_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::networking {
namespace {

Ipv4Address Address(const char* text) { return Ipv4Address::Parse(text).value(); }

TEST(ResolverFilesTest, HostnamesLookAsOnFargate) {
  EXPECT_EQ(FargateHostname(Address("172.31.0.5")), "ip-172-31-0-5.ec2.internal");
}

TEST(ResolverFilesTest, HostsNameTheTaskInFullAndShort) {
  EXPECT_EQ(HostsText(Address("172.31.0.5"), "ip-172-31-0-5.ec2.internal"),
            "127.0.0.1 localhost\n"
            "::1 localhost ip6-localhost ip6-loopback\n"
            "172.31.0.5 ip-172-31-0-5.ec2.internal ip-172-31-0-5\n");
  EXPECT_EQ(LocalHostsText("box"),
            "127.0.0.1 localhost\n"
            "::1 localhost ip6-localhost ip6-loopback\n"
            "127.0.0.1 box\n");
}

TEST(ResolverFilesTest, UsefulNameserversAndSettingsAreKept) {
  EXPECT_EQ(ResolvText("# made by hand\n"
                       "nameserver 10.0.0.2\n"
                       " search\texample.org  lan \n"
                       "options timeout:1\n"
                       "sortlist 10.0.0.0\n"),
            "nameserver 10.0.0.2\nsearch example.org lan\noptions timeout:1\n");
}

TEST(ResolverFilesTest, ServersATaskCannotReachAreLeftOut) {
  EXPECT_EQ(ResolvText("nameserver 127.0.0.53\nnameserver ::1\nnameserver 2001:db8::1\n"
                       "nameserver 0.0.0.0\nnameserver 192.0.2.1\n"),
            "nameserver 192.0.2.1\n");
}

TEST(ResolverFilesTest, WithoutAnyServerTheTextSaysSo) {
  EXPECT_EQ(ResolvText(""), "# no nameserver: the host has none that a task could reach\n");
  EXPECT_EQ(ResolvText("nameserver\nnameserver 127.0.0.1\n"),
            "# no nameserver: the host has none that a task could reach\n");
}

TEST(ResolverFilesTest, AtMostThreeServersAsTheLibraryReadsThem) {
  EXPECT_EQ(ResolvText("nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n"
                       "nameserver 4.4.4.4\n"),
            "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\n");
}

TEST(ResolverFilesTest, BehindSystemdResolvedTheRealServersAreRead) {
  test::TempDir root;
  ASSERT_TRUE(sys::MakeDirectories(root.path() + "/etc", 0755).ok());
  ASSERT_TRUE(sys::MakeDirectories(root.path() + "/run/systemd/resolve", 0755).ok());
  std::string stub = "nameserver 127.0.0.53\n";
  ASSERT_TRUE(sys::WriteFile(AT_FDCWD, root.path() + "/etc/resolv.conf", stub).ok());
  EXPECT_EQ(LoadHostResolver(root.path()).value(), stub);
  std::string real = "nameserver 192.0.2.53\n";
  ASSERT_TRUE(
      sys::WriteFile(AT_FDCWD, root.path() + "/run/systemd/resolve/resolv.conf", real).ok());
  EXPECT_EQ(LoadHostResolver(root.path()).value(), real);
}

TEST(ResolverFilesTest, AHostWithoutResolvConfIsNoError) {
  test::TempDir root;
  EXPECT_EQ(LoadHostResolver(root.path()).value(), "");
}

}  // namespace
}  // namespace skiff::networking
