#include "runtime/model/ids.h"

#include <algorithm>
#include <cstdint>

#include "isolation/base/text.h"

namespace skiff::runtime {
namespace {

constexpr size_t kTaskIdDigits = 32;
constexpr size_t kRuntimeIdDigits = 10;
constexpr uint64_t kRuntimeIdModulus = 10'000'000'000;

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

// FNV-1a: ids are stored, so the hash must be the same in every build; std::hash need not be.
uint64_t Fnv1a(std::string_view text, uint64_t hash) {
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace

Result<TaskId> TaskId::Parse(std::string_view hex) {
  if (hex.size() != kTaskIdDigits || !std::all_of(hex.begin(), hex.end(), IsLowerHex)) {
    return Error(Code::kInvalid, "task id \"" + std::string(hex.substr(0, kTaskIdDigits + 8)) +
                                     "\" is not 32 lower-case hex digits");
  }
  return TaskId(std::string(hex));
}

TaskId TaskId::Generate() { return TaskId(RandomHex(kTaskIdDigits / 2)); }

std::string ContainerRuntimeId(const TaskId& task, std::string_view container_name) {
  uint64_t hash = Fnv1a(container_name, Fnv1a(task.text(), 14695981039346656037ULL));
  std::string digits = std::to_string((hash ^ (hash >> 32)) % kRuntimeIdModulus);
  return task.text() + "-" + std::string(kRuntimeIdDigits - digits.size(), '0') + digits;
}

}  // namespace skiff::runtime
