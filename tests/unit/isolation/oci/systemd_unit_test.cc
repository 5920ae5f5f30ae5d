#include "isolation/oci/systemd_unit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace skiff::isolation {

void PrintTo(const UnitProperty& property, std::ostream* out) {
  *out << property.name << " " << property.type << " " << testing::PrintToString(property.values);
}
static bool operator==(const UnitProperty& a, const UnitProperty& b) {
  return a.name == b.name && a.type == b.type && a.values == b.values;
}

namespace oci {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::UnorderedElementsAre;

UnitProperty Number(const std::string& name, const std::string& value) {
  return {name, "t", {value}};
}

TEST(SystemdUnitTest, AScopeIsNamedAsItsPathSays) {
  struct Case {
    std::string path;
    bool is_user;
    std::string unit, slice;
  };
  for (const Case& each :
       {Case{"", false, "skiff-oci-web.scope", "system.slice"},
        Case{"", true, "skiff-oci-web.scope", "user.slice"},
        Case{"machine.slice:libpod:0a1b", false, "libpod-0a1b.scope", "machine.slice"},
        Case{"kubepods-burstable-pod7.slice:cri-containerd:x", false, "cri-containerd-x.scope",
             "kubepods-burstable-pod7.slice"},
        Case{":p:", false, "p-web.scope", "system.slice"},
        Case{"-.slice::n", false, "n.scope", "-.slice"},
        Case{":a+b:c", false, "a\\x2bb-c.scope", "system.slice"}}) {
    Result<ScopeName> name = PlanScope(each.path, "web", each.is_user);
    ASSERT_TRUE(name.ok()) << each.path;
    EXPECT_EQ(name.value().unit, each.unit);
    EXPECT_EQ(name.value().slice, each.slice);
  }
}

TEST(SystemdUnitTest, PathsThatNameNoScopeAreRefused) {
  for (const char* path : {"/a/b", "a.slice:b", "a.slice:b:c:d", "a:b:c", "../x.slice:b:c",
                           "a/b.slice:b:c", ".slice:b:c", "a.slice:b:c.slice"}) {
    Result<ScopeName> name = PlanScope(path, "web", false);
    ASSERT_FALSE(name.ok()) << path;
    EXPECT_THAT(name.error().message(), HasSubstr("linux.cgroupsPath: ")) << path;
  }
}

TEST(SystemdUnitTest, LimitsBecomeProperties) {
  CgroupLimits limits;
  limits.memory_max = Bytes(1 << 20);
  limits.swap_max = Bytes(4096);
  limits.memory_low = Bytes(512);
  limits.cpu_quota_us = 12'345;
  limits.cpu_shares = 1024;
  limits.pids_max = kUnlimited;
  limits.files = {{"memory.high", "max"},
                  {"memory.min", "7"},
                  {"cpuset.cpus", "0-2,9"},
                  {"cpuset.mems", "0"},
                  {"hugetlb.2MB.max", "0"},
                  {"io.max", "8:0 rbps=1"},
                  {"io.bfq.weight", "default 100", "io.weight", "default 910"}};
  std::string most = std::to_string(UINT64_MAX);
  EXPECT_THAT(LimitProperties(limits, "").value(),
              UnorderedElementsAre(
                  Number("MemoryMax", "1048576"), Number("MemorySwapMax", "4096"),
                  Number("MemoryLow", "512"), Number("MemoryHigh", most), Number("MemoryMin", "7"),
                  // 123450 us a second, to the next whole percent.
                  Number("CPUQuotaPerSecUSec", "130000"), Number("CPUWeight", "39"),
                  Number("TasksMax", most), Number("IOWeight", "910"),
                  UnitProperty{"AllowedCPUs", "ay", {"7", "2"}},
                  UnitProperty{"AllowedMemoryNodes", "ay", {"1"}}));
}

TEST(SystemdUnitTest, AQuotaAloneKeepsThePeriodOfTheGroup) {
  CgroupLimits limits;
  limits.cpu_quota_us = 5000;
  EXPECT_THAT(LimitProperties(limits, "max 10000\n").value(),
              UnorderedElementsAre(Number("CPUQuotaPeriodUSec", "10000"),
                                   Number("CPUQuotaPerSecUSec", "500000")));
  limits = {};
  limits.cpu_period_us = 20'000;
  EXPECT_THAT(LimitProperties(limits, "5000 10000\n").value(),
              UnorderedElementsAre(Number("CPUQuotaPeriodUSec", "20000"),
                                   Number("CPUQuotaPerSecUSec", "250000")));
  // Back to the default, which is not told otherwise.
  limits.cpu_period_us = 100'000;
  EXPECT_THAT(LimitProperties(limits, "5000 10000\n").value(),
              UnorderedElementsAre(Number("CPUQuotaPeriodUSec", "100000"),
                                   Number("CPUQuotaPerSecUSec", "50000")));
  limits.cpu_quota_us = kUnlimited;
  EXPECT_THAT(LimitProperties(limits, "5000 10000\n").value(),
              ElementsAre(Number("CPUQuotaPerSecUSec", std::to_string(UINT64_MAX))));
}

TEST(SystemdUnitTest, AListOfProcessorsThatIsNoneIsRefused) {
  for (const char* list : {"", "a", "3-1", "1-2-3", "99999"}) {
    CgroupLimits limits;
    limits.files = {{"cpuset.cpus", list}};
    ASSERT_FALSE(LimitProperties(limits, "").ok()) << list;
    EXPECT_THAT(LimitProperties(limits, "").error().message(), HasSubstr("cpuset.cpus: "));
  }
}

TEST(SystemdUnitTest, DeviceRulesAreAllowedDevices) {
  DeviceRule nothing;
  DeviceRule fuse{
      .is_allowed = true, .type = 'c', .major = 10, .minor = 229, .access = kDeviceRead};
  DeviceRule terminals{.is_allowed = true, .type = 'c', .major = 136};
  DeviceRule nodes{.is_allowed = true, .type = 'b', .access = kDeviceMake};
  EXPECT_THAT(
      DeviceProperties({nothing, fuse, terminals, nodes}),
      ElementsAre(UnitProperty{"DevicePolicy", "s", {"strict"}},
                  UnitProperty{"DeviceAllow",
                               "a(ss)",
                               {"/dev/char/10:229", "r", "char-136", "rwm", "block-*", "m"}}));
}

// Both filters hold: one of systemd's own that says something else would take away what is allowed.
TEST(SystemdUnitTest, RulesThatSystemdCannotSayAreLeftToTheGroupsOwnFilter) {
  DeviceRule nothing;
  DeviceRule everything{.is_allowed = true};
  DeviceRule minor{.is_allowed = true, .type = 'c', .minor = 3};
  DeviceRule later{.type = 'c', .major = 1};
  for (const std::vector<DeviceRule>& rules : {std::vector<DeviceRule>{},
                                               {everything},
                                               {nothing, everything},
                                               {nothing, minor},
                                               {nothing, later},
                                               {later}}) {
    EXPECT_THAT(DeviceProperties(rules), ElementsAre(UnitProperty{"DevicePolicy", "s", {"auto"}}));
  }
}

TEST(SystemdUnitTest, AnnotationsAreProperties) {
  auto parse = [](const std::string& name, const std::string& value) {
    return AnnotatedProperties({{"org.systemd.property." + name, value}, {"other", "x"}}).value();
  };
  EXPECT_THAT(parse("CollectMode", "'inactive'"),
              ElementsAre(UnitProperty{"CollectMode", "s", {"inactive"}}));
  EXPECT_THAT(parse("SendSIGHUP", "true"), ElementsAre(UnitProperty{"SendSIGHUP", "b", {"true"}}));
  EXPECT_THAT(parse("CPUWeight", "uint64 42"), ElementsAre(Number("CPUWeight", "42")));
  EXPECT_THAT(parse("KillSignal", "-7"), ElementsAre(UnitProperty{"KillSignal", "i", {"-7"}}));
  EXPECT_THAT(parse("After", "['a.service', \"b\"]"),
              ElementsAre(UnitProperty{"After", "as", {"a.service", "b"}}));
  EXPECT_THAT(parse("After", "[]"), ElementsAre(UnitProperty{"After", "as", {}}));
  EXPECT_THAT(parse("TimeoutStopSec", "1.5"), ElementsAre(Number("TimeoutStopUSec", "1500000")));
  EXPECT_THAT(parse("TimeoutStopUSec", "uint64 9"), ElementsAre(Number("TimeoutStopUSec", "9")));
  EXPECT_THAT(parse("Description", R"('it\'s')"),
              ElementsAre(UnitProperty{"Description", "s", {"it's"}}));
}

TEST(SystemdUnitTest, AnnotationsThatAreNoPropertyAreRefusedByName) {
  for (auto [name, value] : {std::pair{"CollectMode", "inactive"},
                             {"Bad-Name", "'x'"},
                             {"", "'x'"},
                             {"A", "'x"},
                             {"A", "['a' 'b']"},
                             {"A", "['a',]"},
                             {"A", "uint64"},
                             {"A", "uint64x 5"},
                             {"A", ""},
                             {"TimeoutStopSec", "'5'"},
                             {"TimeoutStopSec", "-1"},
                             {"A", "[1]"},
                             {"A", "["},
                             {"A", "'a'b'"}}) {
    std::string key = std::string("org.systemd.property.") + name;
    Result<std::vector<UnitProperty>> parsed = AnnotatedProperties({{key, value}});
    ASSERT_FALSE(parsed.ok()) << key << "=" << value;
    EXPECT_THAT(parsed.error().message(), HasSubstr("annotations." + key)) << value;
  }
}

TEST(SystemdUnitTest, AnnotationsWinOverWhatIsSetAnyhow) {
  std::vector<UnitProperty> properties =
      ScopeProperties({"a.scope", "b.slice"}, "web", {}, {},
                      {{"org.systemd.property.CollectMode", "'inactive'"}})
          .value();
  EXPECT_THAT(properties, IsSupersetOf({UnitProperty{"CollectMode", "s", {"inactive"}},
                                        UnitProperty{"Slice", "s", {"b.slice"}},
                                        UnitProperty{"Delegate", "b", {"true"}}}));
  EXPECT_THAT(properties,
              testing::Not(Contains(UnitProperty{"CollectMode", "s", {"inactive-or-failed"}})));
}

TEST(SystemdUnitTest, PropertiesTravelAsWords) {
  std::vector<UnitProperty> properties = {{"A", "s", {"x y"}}, {"B", "as", {}}, Number("C", "1")};
  std::vector<std::string> words;
  for (const UnitProperty& property : properties) AppendWords(property, &words);
  EXPECT_EQ(ParseWords(words).value(), properties);
  for (const std::vector<std::string>& bad :
       {std::vector<std::string>{"A"}, {"A", "s"}, {"A", "s", "2", "x"}, {"A", "s", "x", "y"}}) {
    EXPECT_FALSE(ParseWords(bad).ok());
  }
}

}  // namespace
}  // namespace oci
}  // namespace skiff::isolation
