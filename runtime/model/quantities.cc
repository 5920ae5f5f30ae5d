#include "runtime/model/quantities.h"

#include <optional>
#include <string>

#include "isolation/base/text.h"
#include "runtime/model/limits.h"

namespace skiff::runtime {
namespace {

constexpr uint64_t kUnitsPerWhole = 1024;  // CPU units in a vCPU, MiB in a GB
constexpr size_t kMaxFractionDigits = 9;

Error InvalidSetting(std::string_view member) {
  return Error(Code::kInvalid, "Invalid '" + std::string(member) +
                                   "' setting for task. For more information, see the "
                                   "Troubleshooting section of the Amazon ECS Developer Guide.");
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool RemoveSuffix(std::string_view& text, std::string_view lower_suffix) {
  if (text.size() < lower_suffix.size()) return false;
  size_t start = text.size() - lower_suffix.size();
  for (size_t i = 0; i < lower_suffix.size(); ++i) {
    if (Lower(text[start + i]) != lower_suffix[i]) return false;
  }
  text.remove_suffix(lower_suffix.size());
  return true;
}

// "1.25" to 1280. Exact: what is no whole number of units is refused rather than rounded.
std::optional<uint64_t> ParseWholes(std::string_view text, uint64_t max_units) {
  size_t dot = text.find('.');
  std::string_view whole = text.substr(0, dot);
  std::string_view fraction = dot == std::string_view::npos ? "" : text.substr(dot + 1);
  bool has_point = dot != std::string_view::npos;
  if (fraction.size() > kMaxFractionDigits || (has_point && fraction.empty())) return std::nullopt;
  std::optional<uint64_t> wholes = whole.empty() && has_point
                                       ? std::optional<uint64_t>(0)
                                       : ParseUint(whole, max_units / kUnitsPerWhole);
  std::optional<uint64_t> parts = fraction.empty() ? 0 : ParseUint(fraction);
  if (!wholes || !parts) return std::nullopt;
  uint64_t scale = 1;
  for (size_t i = 0; i < fraction.size(); ++i) scale *= 10;
  if (*parts * kUnitsPerWhole % scale != 0) return std::nullopt;
  return *wholes * kUnitsPerWhole + *parts * kUnitsPerWhole / scale;
}

// Units as a plain number, or wholes when the text ends in `suffix`; zero is no setting.
std::optional<uint64_t> ParseQuantity(std::string_view text, std::string_view suffix,
                                      uint64_t max_units) {
  text = TrimSpace(text);
  bool is_in_wholes = RemoveSuffix(text, suffix);
  std::optional<uint64_t> units =
      is_in_wholes ? ParseWholes(TrimSpace(text), max_units) : ParseUint(text, max_units);
  if (!units || *units == 0) return std::nullopt;
  return units;
}

}  // namespace

Result<CpuUnits> ParseTaskCpu(std::string_view text) {
  std::optional<uint64_t> units = ParseQuantity(text, "vcpu", uint64_t{kMaxTaskCpu});
  if (!units) return InvalidSetting("cpu");
  return CpuUnits(static_cast<int64_t>(*units));
}

Result<Bytes> ParseTaskMemory(std::string_view text) {
  std::optional<uint64_t> mib = ParseQuantity(text, "gb", uint64_t{kMaxMemoryMib});
  if (!mib) return InvalidSetting("memory");
  return Bytes::MiB(*mib);
}

}  // namespace skiff::runtime
