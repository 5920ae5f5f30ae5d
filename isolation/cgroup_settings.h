// What files of which version of cgroups limits are written to, for cgroup.cc. Pure.
#pragma once

#include <string>
#include <vector>

#include "isolation/cgroup.h"

namespace skiff::isolation {

// One limit: where it goes in v2 and in v1.
struct Setting {
  Controller controller;
  const char* what;
  std::string unified_file;
  std::string unified_value;
  std::string legacy_file;  // "" when v1 has no counterpart
  std::string legacy_value;
  bool is_optional_file = false;  // absent without swap accounting
  bool is_limit = true;           // false: takes a limit away, and where none can be, none is
  bool is_second_word = false;    // in v2 behind the first one that the file has
};

// In the order in which the kernel takes them. CgroupLimits::files are not among them.
std::vector<Setting> SettingsOf(const CgroupLimits& limits);

}  // namespace skiff::isolation
