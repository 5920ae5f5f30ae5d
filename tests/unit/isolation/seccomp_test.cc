#include "isolation/seccomp.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "isolation/seccomp_profile.h"
#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::isolation {
namespace {

TEST(SeccompTest, DefaultProfileAllowsAtMost340Calls) {
  EXPECT_LE(DefaultSeccompAllowedCount({.allow_ptrace = true}), 340U);
  EXPECT_GE(DefaultSeccompAllowedCount({}), 200U);
}

TEST(SeccompTest, NoCallStandsTwiceInTheTables) {
  std::set<std::string> seen;
  for (auto groups : {AllowedSeccompGroups(), DeniedSeccompGroups()}) {
    for (const SeccompGroup& group : groups) {
      for (const char* call : group.calls) EXPECT_TRUE(seen.insert(call).second) << call;
    }
  }
}

TEST(SeccompTest, CacheGivesTheSameProgramAndSurvivesDamage) {
  skiff::test::TempDir directory;
  SeccompProgram compiled = CompileDefaultSeccomp({}).value();
  for (int round = 0; round < 2; ++round) {
    SeccompProgram loaded = LoadDefaultSeccomp({}, directory.path()).value();
    ASSERT_EQ(loaded.size(), compiled.size());
    EXPECT_EQ(memcmp(loaded.data(), compiled.data(), loaded.size() * sizeof(SeccompInstruction)),
              0);
  }
  std::string name = sys::ListDirectory(AT_FDCWD, directory.path()).value().at(0);
  sys::WriteFile(AT_FDCWD, directory.path() + "/" + name, "odd").value();
  EXPECT_EQ(LoadDefaultSeccomp({}, directory.path()).value().size(), compiled.size());
}

}  // namespace
}  // namespace skiff::isolation
