#include "isolation/cgroup_settings.h"

#include <utility>

namespace skiff::isolation {
namespace {

Setting MemorySetting(const char* what, const char* unified_file, Bytes unified,
                      const char* legacy_file, Bytes legacy) {
  if (unified == kUnlimitedBytes)
    return {Controller::kMemory, what, unified_file, "max", legacy_file, "-1", true, false};
  return {Controller::kMemory, what,
          unified_file,        std::to_string(unified.count()),
          legacy_file,         std::to_string(legacy.count())};
}

void AddMemorySettings(const CgroupLimits& limits, std::vector<Setting>* settings) {
  const std::optional<Bytes>& memory = limits.memory_max;
  bool is_unlimited = memory == kUnlimitedBytes;
  std::optional<Bytes> swap = is_unlimited ? kUnlimitedBytes : limits.swap_max;
  // v1's second limit is of both together and cannot be below the first.
  if (swap && (memory || swap == kUnlimitedBytes)) {
    Bytes both = swap == kUnlimitedBytes ? *swap : *memory + *swap;
    settings->push_back(MemorySetting("the swap limit", "memory.swap.max", *swap,
                                      "memory.memsw.limit_in_bytes", both));
    settings->back().is_optional_file = true;
  }
  if (memory) {
    Setting setting =
        MemorySetting("the memory limit", "memory.max", *memory, "memory.limit_in_bytes", *memory);
    bool is_first = !is_unlimited && !settings->empty();
    settings->insert(is_first ? settings->end() - 1 : settings->end(), std::move(setting));
  }
  if (limits.memory_low) {
    settings->push_back(MemorySetting("the memory reservation", "memory.low", *limits.memory_low,
                                      "memory.soft_limit_in_bytes", *limits.memory_low));
  }
}

// In v2 one file has both: a quota alone leaves the period, a period needs the quota before it.
void AddCpuSettings(const CgroupLimits& limits, std::vector<Setting>* settings) {
  bool is_limit = limits.cpu_quota_us.value_or(kUnlimited) != kUnlimited;
  std::string quota;
  if (limits.cpu_quota_us) quota = is_limit ? std::to_string(*limits.cpu_quota_us) : "max";
  if (limits.cpu_period_us) {
    std::string period = std::to_string(*limits.cpu_period_us);
    settings->push_back({Controller::kCpu, "the cpu period", quota.empty() ? "cpu.max" : "", period,
                         "cpu.cfs_period_us", period});
    settings->back().is_second_word = true;
    if (!quota.empty()) quota += " " + period;
  }
  if (limits.cpu_quota_us) {
    settings->push_back({Controller::kCpu, "the cpu limit", "cpu.max", quota, "cpu.cfs_quota_us",
                         is_limit ? std::to_string(*limits.cpu_quota_us) : "-1", !is_limit,
                         is_limit});
  }
  if (limits.cpu_shares) {
    settings->push_back({Controller::kCpu, "the cpu share", "cpu.weight",
                         std::to_string(CpuWeightOfShares(*limits.cpu_shares)), "cpu.shares",
                         std::to_string(*limits.cpu_shares)});
  }
}

}  // namespace

std::vector<Setting> SettingsOf(const CgroupLimits& limits) {
  std::vector<Setting> settings;
  AddMemorySettings(limits, &settings);
  AddCpuSettings(limits, &settings);
  if (limits.pids_max) {
    bool is_limit = *limits.pids_max != kUnlimited;
    std::string max = is_limit ? std::to_string(*limits.pids_max) : "max";
    settings.push_back({Controller::kPids, "the process limit", "pids.max", max, "pids.max", max,
                        !is_limit, is_limit});
  }
  return settings;
}

}  // namespace skiff::isolation
