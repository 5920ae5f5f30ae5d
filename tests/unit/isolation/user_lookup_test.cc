#include "isolation/user_lookup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::isolation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:Web:/var/www:/bin/sh\n7:x:77:78::/seven:/bin/"
    "sh\nbroken:x\n";
constexpr std::string_view kGroup = "root:x:0:\nstaff:x:50:web,other\nlogs:x:60:web\n";

TEST(UserLookupTest, EmptyIsRoot) {
  ContainerUser user = ResolveUser("", kPasswd, kGroup).value();
  EXPECT_EQ(user.uid, 0U);
  EXPECT_EQ(user.gid, 0U);
  EXPECT_EQ(user.home, "/root");
}

TEST(UserLookupTest, NameBringsItsGroupsAndHome) {
  ContainerUser user = ResolveUser("web", kPasswd, kGroup).value();
  EXPECT_EQ(user.uid, 33U);
  EXPECT_EQ(user.gid, 34U);
  EXPECT_THAT(user.groups, ElementsAre(50, 60));
  EXPECT_EQ(user.home, "/var/www");
}

TEST(UserLookupTest, GroupGivenReplacesTheUsersOwn) {
  ContainerUser user = ResolveUser("web:staff", kPasswd, kGroup).value();
  EXPECT_EQ(user.gid, 50U);
  EXPECT_THAT(user.groups, IsEmpty());
  EXPECT_EQ(ResolveUser("33:60", kPasswd, kGroup).value().gid, 60U);
  EXPECT_EQ(ResolveUser("web:1234", kPasswd, kGroup).value().gid, 1234U);
}

TEST(UserLookupTest, NumberNeedsNoEntry) {
  ContainerUser user = ResolveUser("12345", kPasswd, kGroup).value();
  EXPECT_EQ(user.uid, 12345U);
  EXPECT_EQ(user.gid, 0U);
  EXPECT_EQ(user.home, "/");
}

TEST(UserLookupTest, NameMadeOfDigitsIsAName) {
  EXPECT_EQ(ResolveUser("7", kPasswd, kGroup).value().uid, 77U);
}

// CVE-2024-40635: no text may become uid 0 by overflow or leniency.
TEST(UserLookupTest, OddNumbersAreRefused) {
  for (const char* text :
       {"4294967296", "-1", "0x0", "1e3", "+0", " 0", "2147483648", "99999999999999999999", ":",
        ":0", "0:", "0:4294967296", "nobody", "web:nogroup"}) {
    EXPECT_FALSE(ResolveUser(text, kPasswd, kGroup).ok()) << text;
  }
  EXPECT_THAT(ResolveUser("4294967296", kPasswd, kGroup).error().message(),
              HasSubstr("'4294967296' is not between 0 and 2147483647"));
  EXPECT_EQ(ResolveUser("nobody", kPasswd, kGroup).error().message(),
            "user 'nobody' is not in the image's /etc/passwd");
}

}  // namespace
}  // namespace skiff::isolation
