#include "isolation/oci/systemd_unit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "isolation/base/text.h"

namespace skiff::isolation::oci {
namespace {

constexpr std::string_view kAnnotation = "org.systemd.property.";
constexpr char kDefaultPrefix[] = "skiff-oci";
constexpr uint64_t kSecond = 1'000'000;  // microseconds

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// What a unit's name cannot hold is written as systemd-escape(1) does.
std::string Escape(const std::string& text) {
  std::string escaped;
  for (char c : text) {
    bool is_plain = IsLetter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    if (is_plain) {
      escaped += c;
    } else {
      escaped += "\\x" + HexEncode(&c, 1);
    }
  }
  return escaped;
}

UnitProperty Text(std::string name, std::string value) {
  return {std::move(name), "s", {std::move(value)}};
}
UnitProperty Flag(std::string name, bool value) {
  return {std::move(name), "b", {value ? "true" : "false"}};
}
UnitProperty Number(std::string name, uint64_t value) {
  return {std::move(name), "t", {std::to_string(value)}};
}

// Later ones replace earlier ones of the same name.
void Set(UnitProperty property, std::vector<UnitProperty>* properties) {
  std::erase_if(*properties, [&](const UnitProperty& p) { return p.name == property.name; });
  properties->push_back(std::move(property));
}

// "0-2,5" as systemd's bus has a set of processors: bit n of byte n/8.
Result<UnitProperty> BitSet(const std::string& name, const std::string& list) {
  constexpr uint64_t kMaxProcessor = 8191;  // the kernel's CONFIG_NR_CPUS_RANGE_END
  std::vector<unsigned> bytes;
  for (std::string_view range : Split(list, ',')) {
    std::vector<std::string_view> ends = Split(range, '-');
    std::optional<uint64_t> first = ParseUint(ends.front(), kMaxProcessor);
    std::optional<uint64_t> last = ParseUint(ends.back(), kMaxProcessor);
    if (!first || !last || *first > *last || ends.size() > 2)
      return Error(Code::kInvalid, "'" + list + "' is not a list of numbers such as 0-2,5");
    if (bytes.size() <= *last / 8) bytes.resize(*last / 8 + 1);
    for (uint64_t bit = *first; bit <= *last; ++bit) bytes[bit / 8] |= 1U << (bit % 8);
  }
  UnitProperty property{name, "ay", {}};
  for (unsigned byte : bytes) property.values.push_back(std::to_string(byte));
  return property;
}

std::optional<uint64_t> NumberOrMax(std::string_view text) {
  return text == "max" ? kUnlimited : ParseUint(text);
}

// systemd keeps whole percents of a processor; its own file would be below what was asked for if
// this were not rounded up. What is written to the group besides is exact.
std::vector<UnitProperty> QuotaProperties(uint64_t quota, uint64_t period, bool is_period_told) {
  constexpr uint64_t kPercent = kSecond / 100;
  if (quota == kUnlimited) return {Number("CPUQuotaPerSecUSec", kUnlimited)};
  uint64_t a_second = (quota * kSecond + period - 1) / period;
  std::vector<UnitProperty> properties = {
      Number("CPUQuotaPerSecUSec", (a_second + kPercent - 1) / kPercent * kPercent)};
  // The property is known since systemd 242: the default is not told unless it has to be.
  if (is_period_told) properties.push_back(Number("CPUQuotaPeriodUSec", period));
  return properties;
}

// "QUOTA PERIOD" of cpu.max; the kernel's defaults for what is not there.
std::pair<uint64_t, uint64_t> QuotaOf(std::string_view cpu_max) {
  std::vector<std::string_view> words = Split(TrimSpace(cpu_max), ' ');
  uint64_t quota = NumberOrMax(words[0]).value_or(kUnlimited);
  uint64_t period = words.size() > 1 ? ParseUint(words[1]).value_or(0) : 0;
  return {quota, period == 0 ? kCpuPeriodMicroseconds : period};
}

void AddMemory(const CgroupLimits& limits, std::vector<UnitProperty>* properties) {
  const std::optional<Bytes>& memory = limits.memory_max;
  std::optional<Bytes> swap = memory == kUnlimitedBytes ? kUnlimitedBytes : limits.swap_max;
  if (memory) Set(Number("MemoryMax", memory->count()), properties);
  if (swap && (memory || swap == kUnlimitedBytes))
    Set(Number("MemorySwapMax", swap->count()), properties);
  if (limits.memory_low) Set(Number("MemoryLow", limits.memory_low->count()), properties);
}

struct NumberFile {
  std::string_view file;
  const char* property;
};
constexpr std::array<NumberFile, 7> kNumberFiles = {{{"memory.max", "MemoryMax"},
                                                     {"memory.high", "MemoryHigh"},
                                                     {"memory.low", "MemoryLow"},
                                                     {"memory.min", "MemoryMin"},
                                                     {"memory.swap.max", "MemorySwapMax"},
                                                     {"cpu.weight", "CPUWeight"},
                                                     {"pids.max", "TasksMax"}}};

// A file that systemd has no property for is its container's alone.
Result<> AddFile(const std::string& name, const std::string& value,
                 std::vector<UnitProperty>* properties) {
  for (const NumberFile& known : kNumberFiles) {
    std::optional<uint64_t> number = NumberOrMax(value);
    // What is no number the kernel refuses, in its own words.
    if (known.file == name && number) Set(Number(known.property, *number), properties);
  }
  if (name == "cpu.max") {
    auto [quota, period] = QuotaOf(value);
    for (UnitProperty& property : QuotaProperties(quota, period, true))
      Set(std::move(property), properties);
  }
  if (name == "cpuset.cpus" || name == "cpuset.mems") {
    const char* property = name == "cpuset.cpus" ? "AllowedCPUs" : "AllowedMemoryNodes";
    UnitProperty set = TRY(BitSet(property, value).Context(name));
    Set(std::move(set), properties);
  }
  if (name == "io.weight") {
    std::string_view weight = value;
    constexpr std::string_view kDefault = "default ";
    if (weight.rfind(kDefault, 0) == 0) weight.remove_prefix(kDefault.size());
    std::optional<uint64_t> number = ParseUint(weight);
    if (number) Set(Number("IOWeight", *number), properties);
  }
  return {};
}

std::string AccessLetters(unsigned access) {
  std::string letters;
  if ((access & kDeviceRead) != 0) letters += 'r';
  if ((access & kDeviceWrite) != 0) letters += 'w';
  if ((access & kDeviceMake) != 0) letters += 'm';
  return letters;
}

bool IsOfEverything(const DeviceRule& rule) {
  return rule.type == 'a' && !rule.major && !rule.minor && rule.access == kDeviceAll;
}

// systemd.resource-control(5), DeviceAllow. nullopt: it has no such entry.
std::optional<std::string> DevicePattern(const DeviceRule& rule) {
  if (rule.type == 'a' || (rule.minor && !rule.major)) return std::nullopt;
  std::string kind = rule.type == 'c' ? "char" : "block";
  if (!rule.major) return kind + "-*";
  if (!rule.minor) return kind + "-" + std::to_string(*rule.major);
  return "/dev/" + kind + "/" + std::to_string(*rule.major) + ":" + std::to_string(*rule.minor);
}

// The text format of GVariant, as far as properties of units need it.
class ValueParser {
 public:
  explicit ValueParser(std::string_view text) : text_(TrimSpace(text)) {}

  std::optional<UnitProperty> Parse() {
    UnitProperty property;
    bool is_fine = text_.rfind('[', 0) == 0 ? List(&property) : Single(&property);
    return is_fine ? std::optional(property) : std::nullopt;
  }

 private:
  static std::optional<std::string> Quoted(std::string_view text) {
    bool is_quoted =
        text.size() >= 2 && (text[0] == '\'' || text[0] == '"') && text.back() == text[0];
    if (!is_quoted) return std::nullopt;
    std::string value;
    for (size_t i = 1; i + 1 < text.size(); ++i) {
      if (text[i] == text[0]) return std::nullopt;
      if (text[i] == '\\' && ++i + 1 == text.size()) return std::nullopt;
      value += text[i];
    }
    return value;
  }

  bool List(UnitProperty* property) {
    if (text_.back() != ']') return false;
    property->type = "as";
    std::string_view inside = TrimSpace(text_.substr(1, text_.size() - 2));
    while (!inside.empty()) {
      size_t end = 1;
      while (end < inside.size() && inside[end] != inside[0]) end += inside[end] == '\\' ? 2 : 1;
      std::optional<std::string> value = Quoted(inside.substr(0, end + 1));
      if (!value) return false;
      property->values.push_back(*value);
      inside = TrimSpace(inside.substr(std::min(end + 1, inside.size())));
      if (inside.empty()) break;
      if (inside[0] != ',' || inside.size() == 1) return false;
      inside = TrimSpace(inside.substr(1));
    }
    return true;
  }

  bool Single(UnitProperty* property) {
    constexpr std::array<std::pair<std::string_view, char>, 8> kTypes = {{{"byte", 'y'},
                                                                          {"int16", 'n'},
                                                                          {"uint16", 'q'},
                                                                          {"int32", 'i'},
                                                                          {"uint32", 'u'},
                                                                          {"int64", 'x'},
                                                                          {"uint64", 't'},
                                                                          {"double", 'd'}}};
    std::optional<std::string> text = Quoted(text_);
    if (text) {
      *property = {"", "s", {*text}};
      return true;
    }
    if (text_ == "true" || text_ == "false") {
      *property = {"", "b", {std::string(text_)}};
      return true;
    }
    char type = text_.find_first_of(".eE") == std::string_view::npos ? 'i' : 'd';
    std::string_view number = text_;
    for (const auto& [word, letter] : kTypes) {
      if (text_.rfind(word, 0) != 0) continue;
      std::string_view rest = text_.substr(word.size());
      if (rest.empty() || rest[0] != ' ') return false;
      type = letter;
      number = TrimSpace(rest);
    }
    bool is_number = number.find_first_not_of("+-.0123456789eE") == std::string_view::npos &&
                     number.find_first_of("0123456789") != std::string_view::npos;
    *property = {"", std::string(1, type), {std::string(number)}};
    return is_number;
  }

  std::string_view text_;
};

// A duration in seconds as systemd's bus has it.
bool ToMicroseconds(UnitProperty* property) {
  constexpr double kMostSeconds = 1e12;
  bool is_number = property->type.size() == 1 && property->type != "s" && property->type != "b";
  double seconds = is_number ? strtod(property->values[0].c_str(), nullptr) : -1;
  if (!(seconds >= 0 && seconds <= kMostSeconds)) return false;
  property->name.replace(property->name.size() - 3, 3, "USec");
  property->type = "t";
  property->values = {std::to_string(static_cast<uint64_t>(std::llround(seconds * kSecond)))};
  return true;
}

Result<UnitProperty> ParseAnnotation(const std::string& name, const std::string& value) {
  std::optional<UnitProperty> parsed = ValueParser(value).Parse();
  bool is_name = !name.empty() && std::all_of(name.begin(), name.end(), IsLetter);
  if (!is_name) return Error(Code::kInvalid, "not the name of a property");
  if (!parsed) {
    return Error(Code::kInvalid, "'" + value +
                                     "' is not 'text', true, a number with or without a "
                                     "type before it, or ['a', 'b']");
  }
  parsed->name = name;
  bool is_duration = name.size() > 3 && name.ends_with("Sec") && !name.ends_with("USec");
  if (is_duration && !ToMicroseconds(&*parsed))
    return Error(Code::kInvalid, "'" + value + "' is not a number of seconds");
  return *parsed;
}

}  // namespace

Result<ScopeName> PlanScope(const std::string& cgroups_path, const std::string& id, bool is_user) {
  std::string slice;
  std::string prefix = kDefaultPrefix;
  std::string name;
  if (!cgroups_path.empty()) {
    std::vector<std::string_view> parts = Split(cgroups_path, ':');
    if (parts.size() != 3) {
      return Error(Code::kInvalid, "linux.cgroupsPath: '" + cgroups_path +
                                       "' is not of the form slice:prefix:name, as the cgroup "
                                       "manager systemd wants it");
    }
    slice = parts[0];
    prefix = parts[1];
    name = parts[2];
  }
  if (slice.empty()) slice = is_user ? "user.slice" : "system.slice";
  if (name.empty()) name = id;
  bool is_slice = slice == "-.slice" || (slice.ends_with(".slice") && slice.size() > 6 &&
                                         slice[0] != '-' && slice == Escape(slice));
  if (!is_slice)
    return Error(Code::kInvalid, "linux.cgroupsPath: '" + slice + "' is not the name of a slice");
  if (name.ends_with(".slice")) {
    return Error(Code::kInvalid,
                 "linux.cgroupsPath: '" + name + "': a container is a scope, not a slice");
  }
  std::string unit = Escape(prefix.empty() ? name : prefix + "-" + name) + ".scope";
  constexpr size_t kMaxUnitName = 255;  // systemd's UNIT_NAME_MAX, with its end
  if (unit.size() > kMaxUnitName)
    return Error(Code::kInvalid, "linux.cgroupsPath: the name of the unit is longer than 255");
  return ScopeName{unit, slice};
}

Result<std::vector<UnitProperty>> LimitProperties(const CgroupLimits& limits,
                                                  const std::string& group_cpu_max) {
  std::vector<UnitProperty> properties;
  AddMemory(limits, &properties);
  if (limits.cpu_quota_us || limits.cpu_period_us) {
    auto [quota, period] = QuotaOf(group_cpu_max);
    bool was_default = period == kCpuPeriodMicroseconds;
    quota = limits.cpu_quota_us.value_or(quota);
    period = limits.cpu_period_us.value_or(period);
    bool is_told = !was_default || period != kCpuPeriodMicroseconds;
    for (UnitProperty& property : QuotaProperties(quota, period, is_told))
      Set(std::move(property), &properties);
  }
  if (limits.cpu_shares)
    Set(Number("CPUWeight", CpuWeightOfShares(*limits.cpu_shares)), &properties);
  if (limits.pids_max) Set(Number("TasksMax", *limits.pids_max), &properties);
  for (const CgroupFile& file : limits.files) {
    if (file.name.empty()) continue;  // of cgroup v1: refused when it is written
    TRY(AddFile(file.name, file.value, &properties));
    if (!file.other_name.empty()) TRY(AddFile(file.other_name, file.other_value, &properties));
  }
  return properties;
}

std::vector<UnitProperty> DeviceProperties(const std::vector<DeviceRule>& rules) {
  UnitProperty allowed{"DeviceAllow", "a(ss)", {}};
  // A list of exceptions from "nothing" is what systemd knows.
  bool is_list = !rules.empty() && !rules[0].is_allowed && IsOfEverything(rules[0]);
  for (size_t i = 1; is_list && i < rules.size(); ++i) {
    std::optional<std::string> pattern = DevicePattern(rules[i]);
    is_list = rules[i].is_allowed && pattern;
    if (is_list)
      allowed.values.insert(allowed.values.end(), {*pattern, AccessLetters(rules[i].access)});
  }
  if (!is_list) return {Text("DevicePolicy", "auto")};
  return {Text("DevicePolicy", "strict"), std::move(allowed)};
}

Result<std::vector<UnitProperty>> AnnotatedProperties(
    const std::map<std::string, std::string>& annotations) {
  std::vector<UnitProperty> properties;
  for (const auto& [key, value] : annotations) {
    if (key.rfind(kAnnotation, 0) != 0) continue;
    std::string name = key.substr(kAnnotation.size());
    UnitProperty property = TRY(ParseAnnotation(name, value).Context("annotations." + key));
    properties.push_back(std::move(property));
  }
  return properties;
}

Result<std::vector<UnitProperty>> ScopeProperties(
    const ScopeName& name, const std::string& id, const CgroupLimits& limits,
    const std::vector<DeviceRule>& rules, const std::map<std::string, std::string>& annotations) {
  std::vector<UnitProperty> properties = {
      Text("Description", "skiff-oci container " + id), Text("Slice", name.slice),
      Flag("Delegate", true),
      // It is not systemd that ends containers at shutdown: who runs them does.
      Flag("DefaultDependencies", false), Text("CollectMode", "inactive-or-failed"),
      Flag("MemoryAccounting", true), Flag("CPUAccounting", true), Flag("IOAccounting", true),
      Flag("TasksAccounting", true)};
  std::vector<UnitProperty> more = TRY(LimitProperties(limits, ""));
  for (UnitProperty& property : DeviceProperties(rules)) more.push_back(std::move(property));
  std::vector<UnitProperty> annotated = TRY(AnnotatedProperties(annotations));
  more.insert(more.end(), annotated.begin(), annotated.end());
  for (UnitProperty& property : more) Set(std::move(property), &properties);
  return properties;
}

}  // namespace skiff::isolation::oci
