#include "runtime/plan/paths.h"

#include <cstdint>
#include <cstdio>

namespace skiff::runtime {

std::string Roots::CgroupRoot() const {
  if (data == kDefaultDataRoot) return "skiff";
  uint32_t hash = 2166136261U;  // FNV-1a: a name, not a secret
  for (char c : data) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  char text[16];
  snprintf(text, sizeof(text), "skiff-%08x", hash);
  return text;
}

std::string EniIdOf(const TaskId& id) { return "eni-" + id.text().substr(0, 17); }

}  // namespace skiff::runtime
