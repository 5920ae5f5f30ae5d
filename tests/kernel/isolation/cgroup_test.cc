#include "isolation/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "tests/support/busybox_root.h"
#include "tests/support/capability.h"

namespace skiff::isolation {
namespace {

using skiff::test::BusyboxRoot;
using skiff::test::Outcome;
using skiff::test::RunToEnd;
using testing::HasSubstr;

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    SKIFF_REQUIRE(skiff::test::MissingMemoryController());
    host_ = CgroupHost::Discover().value();
    path_ = "skiff-test-" + RandomHex(4);
  }
  void TearDown() override {
    if (path_.empty()) return;
    EXPECT_TRUE(host_->Remove(path_).ok());
    for (const std::string& directory : host_->Directories(path_)) {
      EXPECT_FALSE(sys::Exists(AT_FDCWD, directory)) << directory;
    }
  }
  Cgroup Create(const CgroupLimits& limits) {
    std::vector<std::string> warnings;
    Result<Cgroup> group = host_->Create(path_ + "/web", limits, &warnings);
    EXPECT_TRUE(group.ok()) << group.error().message();
    EXPECT_THAT(warnings, testing::IsEmpty());
    return std::move(group).value();
  }
  Result<Outcome> Run(const std::string& script, const Cgroup& group) {
    UniqueFd root = busybox_.MountRoot().value();
    return RunToEnd(busybox_.Script(script, root.get()), &group);
  }

  std::optional<CgroupHost> host_;
  std::string path_;
  BusyboxRoot busybox_;
};

TEST_F(CgroupTest, MemoryOverTheLimitIsKilledAndCounted) {
  Cgroup group = Create({.memory_max = Bytes::MiB(16)});
  // awk keeps what it is given: doubling a string passes any limit.
  Outcome outcome =
      Run("busybox awk 'BEGIN { s = \"x\"; while (1) s = s s }'; exit $?", group).value();
  EXPECT_EQ(outcome.status.ShellCode(), 137);
  EXPECT_GE(group.Usage().oom_kills, 1U);
}

// A period is a tenth, and the old quota would be more than the group above has.
TEST_F(CgroupTest, APeriodAndAQuotaThatFitOnlyTogetherAreSet) {
  std::vector<std::string> warnings;
  CgroupLimits above{.cpu_quota_us = 50'000};
  ASSERT_TRUE(host_->Create(path_, above, &warnings).ok());
  Create({.cpu_quota_us = 50'000});
  CgroupLimits shorter{.cpu_quota_us = 3000, .cpu_period_us = 10'000};
  Result<> updated = host_->Update(path_ + "/web", shorter, &warnings);
  ASSERT_TRUE(updated.ok()) << updated.error().message();
  CgroupLimits wider{.cpu_quota_us = 6000};
  bool is_legacy = host_->PlacementOf(Controller::kCpu) == CgroupHost::Placement::kLegacy;
  EXPECT_EQ(host_->Update(path_ + "/web", wider, &warnings).ok(), !is_legacy);
}

TEST_F(CgroupTest, ForkBombStopsAtThePidsLimit) {
  Cgroup group = Create({.pids_max = 20});
  Outcome outcome =
      Run("for i in $(seq 100); do sleep 60 & done; echo survived; kill -9 -1", group).value();
  EXPECT_THAT(outcome.output, HasSubstr("can't fork"));
}

// The counters of the group against the clock of the same run: two busy loops, half a CPU, three
// seconds. Only the upper bound is a promise (a busy machine may give less); the ratio is recorded
// for whoever measures.
TEST_F(CgroupTest, CpuLimitHolds) {
  Cgroup group = Create({.cpu_quota_us = kCpuPeriodMicroseconds / 2});
  int64_t begin = MonotonicNanoseconds();
  Outcome outcome =
      Run("loop() { while :; do :; done; }; loop & loop & sleep 3; kill -9 $!; exit 0", group)
          .value();
  int64_t elapsed_us = (MonotonicNanoseconds() - begin) / 1000;
  ASSERT_TRUE(group.Usage().cpu_us.has_value());
  double share = static_cast<double>(*group.Usage().cpu_us) / static_cast<double>(elapsed_us);
  RecordProperty("cpu_share_per_mille", static_cast<int>(share * 1000));
  // 5 %, and one period's worth for the edges of the measurement.
  EXPECT_LT(share, 0.5 * 1.05 + 0.1 * 0.5 / 3);
  EXPECT_GT(share, 0.1);
}

TEST_F(CgroupTest, ContainerSeesItsOwnGroupAsTheRoot) {
  Cgroup group = Create({});
  EXPECT_THAT(Run("grep ^0:: /proc/self/cgroup", group).value().output, HasSubstr("0::/\n"));
}

TEST_F(CgroupTest, KillEndsEveryProcessOfTheGroup) {
  Cgroup group = Create({});
  UniqueFd root = busybox_.MountRoot().value();
  ContainerSpec spec = busybox_.Script("sleep 1000 & sleep 1000", root.get());
  UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
  for (int& fd : spec.standard_fds) fd = null.get();
  Launched launched = Launch(spec, &group, nullptr).value();
  ASSERT_TRUE(group.Kill().ok());
  EXPECT_TRUE(group.WaitEmpty(std::chrono::seconds(10)).value());
  EXPECT_EQ(sys::WaitPidfd(launched.process.pidfd.get(), true).value()->signal, SIGKILL);
}

// What the group has in the file of v2, or in that of v1.
std::string ValueIn(const CgroupHost& host, const std::string& group, const std::string& unified,
                    const std::string& legacy) {
  for (const std::string& directory : host.Directories(group)) {
    for (const std::string& file : {unified, legacy}) {
      Result<std::string> value = sys::ReadFile(AT_FDCWD, directory + "/" + file);
      if (value.ok()) return std::string(TrimSpace(value.value()));
    }
  }
  return "";
}

TEST_F(CgroupTest, AnUpdateLeavesWhatItDoesNotName) {
  Cgroup group = Create({.memory_max = Bytes::MiB(32),
                         .cpu_quota_us = 50'000,
                         .pids_max = 20,
                         .cpu_period_us = 200'000});
  bool is_unified = host_->PlacementOf(Controller::kCpu) == CgroupHost::Placement::kUnified;
  std::string name = path_ + "/web";
  std::vector<std::string> warnings;
  auto cpu = [&]() -> std::string {
    if (is_unified) return ValueIn(*host_, name, "cpu.max", "");
    return ValueIn(*host_, name, "", "cpu.cfs_quota_us") + " " +
           ValueIn(*host_, name, "", "cpu.cfs_period_us");
  };
  EXPECT_EQ(cpu(), "50000 200000");
  ASSERT_TRUE(host_->Update(name, {.cpu_period_us = 100'000}, &warnings).ok());
  EXPECT_EQ(cpu(), "50000 100000");
  ASSERT_TRUE(host_->Update(name, {.cpu_quota_us = 60'000}, &warnings).ok());
  EXPECT_EQ(cpu(), "60000 100000");
  ASSERT_TRUE(host_->Update(name, {.cpu_quota_us = kUnlimited}, &warnings).ok());
  EXPECT_EQ(cpu(), is_unified ? "max 100000" : "-1 100000");
  ASSERT_TRUE(host_->Update(name, {.cpu_period_us = 50'000}, &warnings).ok());
  EXPECT_EQ(cpu(), is_unified ? "max 50000" : "-1 50000");
  EXPECT_FALSE(host_->Update(name, {.cpu_period_us = 100}, &warnings).ok());
  auto memory = [&] { return ValueIn(*host_, name, "memory.max", "memory.limit_in_bytes"); };
  EXPECT_EQ(memory(), "33554432");
  EXPECT_EQ(ValueIn(*host_, name, "pids.max", "pids.max"), "20");
  ASSERT_TRUE(
      host_->Update(name, {.memory_max = kUnlimitedBytes, .pids_max = kUnlimited}, &warnings).ok());
  EXPECT_TRUE(memory() == "max" || memory().size() == 19) << memory();  // v1: the largest number
  EXPECT_EQ(ValueIn(*host_, name, "pids.max", "pids.max"), "max");
  EXPECT_THAT(warnings, testing::IsEmpty());
}

TEST_F(CgroupTest, AGroupCanHaveEveryControllerOfTheHost) {
  Cgroup group = Create({.has_every_controller = true});
  std::string has = ValueIn(*host_, path_ + "/web", "cgroup.controllers", "");
  std::string offered = ValueIn(*host_, "", "cgroup.subtree_control", "");
  EXPECT_EQ(has, offered);
}

TEST_F(CgroupTest, RemovingAnAbsentGroupIsFine) {
  EXPECT_TRUE(host_->Remove("skiff-test-nonesuch/x").ok());
}

TEST_F(CgroupTest, FailedLimitLeavesNoGroup) {
  std::vector<std::string> warnings;
  // No kernel takes a limit of 2^64-2 processes.
  EXPECT_FALSE(host_->Create(path_ + "/web", {.pids_max = UINT64_MAX - 1}, &warnings).ok());
  EXPECT_FALSE(sys::Exists(AT_FDCWD, host_->Directories(path_ + "/web").front()));
}

}  // namespace
}  // namespace skiff::isolation
