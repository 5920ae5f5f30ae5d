#include "isolation/oci/seccomp.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <seccomp.h>

#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::isolation::oci {
namespace {

SeccompProfile Profile(SeccompAction action = SCMP_ACT_ERRNO(1)) {
  SeccompProfile profile;
  profile.default_action = SCMP_ACT_ALLOW;
  profile.rules.push_back({{"mkdir", "mkdirat", "no_such_call"}, action, {}});
  return profile;
}

bool AreSame(const SeccompProgram& a, const SeccompProgram& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.code == y.code && x.jump_true == y.jump_true && x.jump_false == y.jump_false &&
                  x.k == y.k;
         });
}

TEST(OciSeccompTest, RulesThatRepeatTheDefaultAreNoError) {
  EXPECT_TRUE(CompileSeccomp(Profile(SCMP_ACT_ALLOW)).ok());
}

TEST(OciSeccompTest, SeveralConditionsOnOneArgumentAreAlternatives) {
  SeccompProfile profile = Profile();
  profile.rules[0].arguments = {{0, SCMP_CMP_EQ, 1, 0}, {0, SCMP_CMP_EQ, 2, 0}};
  EXPECT_TRUE(CompileSeccomp(profile).ok());
}

TEST(OciSeccompTest, CallsNewerThanTheProfileAnswerEnosysOnlyWhereTheDefaultIsAnotherErrno) {
  auto begins_with_check = [](SeccompAction action) {
    SeccompProfile profile = Profile(SCMP_ACT_ALLOW);
    profile.default_action = action;
    profile.rules[0].action = action == SCMP_ACT_ALLOW ? SCMP_ACT_KILL : SCMP_ACT_ALLOW;
    SeccompProgram program = CompileSeccomp(profile).value();
    // The answer of the check stands sixth, before anything that libseccomp wrote.
    return program.size() > 5 && program[5].k == SCMP_ACT_ERRNO(ENOSYS);
  };
  EXPECT_TRUE(begins_with_check(SCMP_ACT_ERRNO(EPERM)));
  EXPECT_FALSE(begins_with_check(SCMP_ACT_ERRNO(ENOSYS)));
  EXPECT_FALSE(begins_with_check(SCMP_ACT_ALLOW));
  EXPECT_FALSE(begins_with_check(SCMP_ACT_KILL_PROCESS));
}

TEST(OciSeccompTest, CacheHoldsOneFileAProfileAndGivesTheSameProgram) {
  test::TempDir directory;
  std::string cache = directory.path() + "/cache";
  SeccompProgram first = LoadSeccomp(Profile(), cache).value();
  SeccompProgram again = LoadSeccomp(Profile(), cache).value();
  EXPECT_TRUE(AreSame(first, again));
  SeccompProgram other = LoadSeccomp(Profile(SCMP_ACT_KILL_PROCESS), cache).value();
  EXPECT_FALSE(AreSame(first, other));
  EXPECT_EQ(sys::ListDirectory(AT_FDCWD, cache).value().size(), 2U);
}

TEST(OciSeccompTest, CachedFileThatIsNotSoundIsCompiledAnew) {
  test::TempDir directory;
  SeccompProgram program = LoadSeccomp(Profile(), directory.path()).value();
  std::string name = sys::ListDirectory(AT_FDCWD, directory.path()).value().at(0);
  std::string path = directory.path() + "/" + name;
  std::string whole = sys::ReadFile(AT_FDCWD, path).value();
  for (const std::string& broken : {std::string(), std::string("x"), whole.substr(0, 20),
                                    whole.substr(0, whole.size() - 3), "other\n" + whole}) {
    sys::WriteFile(AT_FDCWD, path, broken).value();
    EXPECT_TRUE(AreSame(LoadSeccomp(Profile(), directory.path()).value(), program));
    EXPECT_EQ(sys::ReadFile(AT_FDCWD, path).value(), whole);
  }
}

}  // namespace
}  // namespace skiff::isolation::oci
