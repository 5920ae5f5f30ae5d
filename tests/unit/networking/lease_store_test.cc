#include "networking/lease_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::networking {
namespace {

constexpr const char* kBoot = "11111111-2222-3333-4444-555555555555";
constexpr const char* kNextBoot = "99999999-2222-3333-4444-555555555555";

class LeaseStoreTest : public testing::Test {
 protected:
  LeaseStore Open(const char* prefix, const char* boot = kBoot) {
    return LeaseStore::Open(root_.path(), Ipv4Prefix::Parse(prefix).value(), boot).value();
  }
  static std::string Take(LeaseStore& store, const std::string& eni_id) {
    Result<Lease> lease = store.Allocate(eni_id);
    return lease.ok() ? lease.value().address.ToString() : lease.error().message();
  }
  void WriteLeaseFile(const std::string& text) {
    std::string path = root_.path() + "/network/leases/172.31.0.0-20";
    ASSERT_TRUE(sys::WriteFile(AT_FDCWD, path, text).ok());
  }
  std::string ReadLeaseFile() {
    return sys::ReadFile(AT_FDCWD, root_.path() + "/network/leases/172.31.0.0-20").value();
  }
  test::TempDir root_;
};

TEST_F(LeaseStoreTest, TheFirstFourAddressesAreReservedAsInAVpc) {
  LeaseStore store = Open("172.31.0.0/20");
  Lease lease = store.Allocate("eni-1").value();
  EXPECT_EQ(lease.address.ToString(), "172.31.0.4");
  EXPECT_EQ(lease.mac.ToString(), "0a:58:ac:1f:00:04");
  EXPECT_EQ(lease.eni_id, "eni-1");
}

TEST_F(LeaseStoreTest, AnEniThatAsksAgainGetsItsAddressAgain) {
  LeaseStore store = Open("172.31.0.0/20");
  EXPECT_EQ(Take(store, "eni-1"), "172.31.0.4");
  EXPECT_EQ(Take(store, "eni-1"), "172.31.0.4");
  EXPECT_EQ(store.List().value().size(), 1U);
}

TEST_F(LeaseStoreTest, AFreedAddressIsTheLastToBeHandedOutAgain) {
  LeaseStore store = Open("172.31.0.0/29");  // .4, .5 and .6
  EXPECT_EQ(Take(store, "eni-1"), "172.31.0.4");
  ASSERT_TRUE(store.Release("eni-1").ok());
  EXPECT_EQ(Take(store, "eni-2"), "172.31.0.5");
  EXPECT_EQ(Take(store, "eni-3"), "172.31.0.6");
  EXPECT_EQ(Take(store, "eni-4"), "172.31.0.4");
}

TEST_F(LeaseStoreTest, AFullSubnetSaysHowFull) {
  LeaseStore store = Open("172.31.0.0/29");
  for (const char* id : {"eni-1", "eni-2", "eni-3"}) ASSERT_TRUE(store.Allocate(id).ok());
  Result<Lease> fourth = store.Allocate("eni-4");
  ASSERT_FALSE(fourth.ok());
  EXPECT_EQ(fourth.error().code(), Code::kExhausted);
  EXPECT_EQ(fourth.error().message(), "no free address in 172.31.0.0/29 (3 in use)");
  ASSERT_TRUE(store.Release("eni-2").ok());
  EXPECT_EQ(Take(store, "eni-4"), "172.31.0.5");
}

TEST_F(LeaseStoreTest, ReleasingTwiceOrWithoutALeaseIsFine) {
  LeaseStore store = Open("172.31.0.0/20");
  EXPECT_TRUE(store.Release("eni-never").ok());
  ASSERT_TRUE(store.Allocate("eni-1").ok());
  EXPECT_TRUE(store.Release("eni-1").ok());
  EXPECT_TRUE(store.Release("eni-1").ok());
  EXPECT_TRUE(store.List().value().empty());
}

TEST_F(LeaseStoreTest, LeasesOfAnEarlierBootAreVoid) {
  LeaseStore before = Open("172.31.0.0/20");
  ASSERT_TRUE(before.Allocate("eni-1").ok());
  LeaseStore after = Open("172.31.0.0/20", kNextBoot);
  EXPECT_TRUE(after.List().value().empty());
  EXPECT_EQ(Take(after, "eni-2"), "172.31.0.4");
}

TEST_F(LeaseStoreTest, AnotherProcessSeesTheLeases) {
  LeaseStore first = Open("172.31.0.0/20");
  ASSERT_TRUE(first.Allocate("eni-1").ok());
  LeaseStore second = Open("172.31.0.0/20");
  EXPECT_EQ(second.Find("eni-1").value()->address.ToString(), "172.31.0.4");
  EXPECT_EQ(Take(second, "eni-2"), "172.31.0.5");
}

TEST_F(LeaseStoreTest, AnEmptyOrCorruptFileIsAFreshOne) {
  LeaseStore store = Open("172.31.0.0/20");
  for (const std::string& text : {std::string(), std::string("garbage\n"), std::string(64, '\0'),
                                  std::string(300000, 'x'), std::string(40, ' ')}) {
    WriteLeaseFile(text);
    EXPECT_EQ(Take(store, "eni-1"), "172.31.0.4") << text.size();
    EXPECT_EQ(store.List().value().size(), 1U);
  }
}

TEST_F(LeaseStoreTest, OneCorruptLineCostsOnlyThatLease) {
  LeaseStore store = Open("172.31.0.0/20");
  ASSERT_TRUE(store.Allocate("eni-1").ok());
  ASSERT_TRUE(store.Allocate("eni-2").ok());
  std::string text = ReadLeaseFile();
  text.replace(text.find("eni-1"), 5, "\x01\xff\x02/\n");
  WriteLeaseFile(text);
  std::vector<Lease> leases = store.List().value();
  ASSERT_EQ(leases.size(), 1U);
  EXPECT_EQ(leases[0].eni_id, "eni-2");
  EXPECT_EQ(leases[0].address.ToString(), "172.31.0.5");
}

TEST_F(LeaseStoreTest, IdsThatCannotBeStoredAreRefused) {
  LeaseStore store = Open("172.31.0.0/20");
  for (const std::string& bad : {std::string(), std::string("a b"), std::string("a\n"),
                                 std::string("../x"), std::string(41, 'a')}) {
    Result<Lease> lease = store.Allocate(bad);
    ASSERT_FALSE(lease.ok()) << bad;
    EXPECT_EQ(lease.error().code(), Code::kInvalid);
  }
  EXPECT_TRUE(store.List().value().empty());
}

TEST_F(LeaseStoreTest, SubnetsTooLargeOrTooSmallAreRefused) {
  for (const char* prefix : {"10.0.0.0/8", "172.31.0.0/30", "172.31.0.0/32"})
    EXPECT_FALSE(LeaseStore::Open(root_.path(), Ipv4Prefix::Parse(prefix).value(), kBoot).ok())
        << prefix;
}

// Eight processes at once: every address is handed out once.
TEST_F(LeaseStoreTest, ParallelProcessesNeverShareAnAddress) {
  constexpr int kProcesses = 8;
  constexpr int kEach = 50;
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      LeaseStore store = Open("172.31.0.0/20");
      for (int i = 0; i < kEach; ++i) {
        std::string id = "eni-" + std::to_string(process) + "-" + std::to_string(i);
        if (!store.Allocate(id).ok()) _exit(1);
        if (i % 5 == 4 && !store.Release(id).ok()) _exit(2);
      }
      _exit(0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  std::set<std::string> addresses;
  std::set<std::string> owners;
  std::vector<Lease> leases = Open("172.31.0.0/20").List().value();
  for (const Lease& lease : leases) {
    addresses.insert(lease.address.ToString());
    owners.insert(lease.eni_id);
  }
  EXPECT_EQ(leases.size(), static_cast<size_t>(kProcesses * kEach * 4 / 5));
  EXPECT_EQ(addresses.size(), leases.size());
  EXPECT_EQ(owners.size(), leases.size());
}

}  // namespace
}  // namespace skiff::networking
