#include "tools/skiff/flag_values.h"

#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <optional>
#include <string>

#include "isolation/base/text.h"

namespace skiff::tools {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

Error Expected(std::string_view what, std::string_view text) {
  return Error(Code::kInvalid,
               "expected " + std::string(what) + ", got '" + std::string(text) + "'");
}

// A decimal number with up to three decimals, in thousandths.
std::optional<uint64_t> ParseThousandths(std::string_view text, uint64_t max) {
  size_t point = text.find('.');
  std::optional<uint64_t> whole = ParseUint(text.substr(0, point), max);
  if (!whole) return std::nullopt;
  if (point == std::string_view::npos) return *whole * 1000;
  std::string digits(text.substr(point + 1));
  if (digits.empty() || digits.size() > 3) return std::nullopt;
  digits.resize(3, '0');
  std::optional<uint64_t> fraction = ParseUint(digits);
  if (!fraction) return std::nullopt;
  return *whole * 1000 + *fraction;
}

std::optional<int64_t> ParseLimit(std::string_view text) {
  if (text == "unlimited" || text == "-1") return -1;
  std::optional<uint64_t> number = ParseUint(text, INT64_MAX);
  return number ? std::optional<int64_t>(static_cast<int64_t>(*number)) : std::nullopt;
}

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};
constexpr std::array<Unit, 5> kUnits = {{{"d", 86'400 * kSecond},
                                         {"h", 3'600 * kSecond},
                                         {"m", 60 * kSecond},
                                         {"s", kSecond},
                                         {"ms", 1'000'000}}};
constexpr uint64_t kMaxDurationNumber = 1'000'000;  // with any unit, the sum stays in int64_t

const Unit* FindUnit(std::string_view name) {
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

size_t CountWhile(std::string_view text, int (*is_kind)(int)) {
  size_t count = 0;
  while (count < text.size() && is_kind(static_cast<unsigned char>(text[count])) != 0) ++count;
  return count;
}

// The seconds by which local time is ahead of UTC: "Z", "+02:00", "-05:30".
std::optional<int64_t> ParseOffset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  std::optional<uint64_t> hours = ParseUint(text.substr(1, 2), 23);
  std::optional<uint64_t> minutes = ParseUint(text.substr(4, 2), 59);
  if (!hours || !minutes) return std::nullopt;
  int64_t seconds = static_cast<int64_t>(*hours * 3600 + *minutes * 60);
  return text[0] == '-' ? -seconds : seconds;
}

// "2026-01-31T12:00:00" to seconds, as if it were UTC.
std::optional<int64_t> ParseCalendar(std::string_view text) {
  tm parts{};
  int length = 0;
  int found =
      sscanf(std::string(text).c_str(), "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &parts.tm_year,
             &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &length);
  if (found != 6 || static_cast<size_t>(length) != text.size() || parts.tm_year < 1970)
    return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  tm wanted = parts;
  int64_t seconds = timegm(&parts);
  // timegm mends a 31st of February; a user who wrote one should hear of it.
  bool is_same = parts.tm_mon == wanted.tm_mon && parts.tm_mday == wanted.tm_mday &&
                 parts.tm_hour == wanted.tm_hour && parts.tm_min == wanted.tm_min;
  return is_same ? std::optional<int64_t>(seconds) : std::nullopt;
}

std::optional<int64_t> ParseTime(std::string_view text) {
  constexpr size_t kCalendarSize = 19;
  if (text.size() <= kCalendarSize) return std::nullopt;
  std::optional<int64_t> seconds = ParseCalendar(text.substr(0, kCalendarSize));
  std::string_view rest = text.substr(kCalendarSize);
  int64_t fraction = 0;
  if (rest[0] == '.') {
    size_t count = CountWhile(rest.substr(1), isdigit);
    if (count == 0 || count > 9) return std::nullopt;
    std::string digits(rest.substr(1, count));
    digits.resize(9, '0');
    fraction = static_cast<int64_t>(ParseUint(digits).value_or(0));
    rest.remove_prefix(count + 1);
  }
  std::optional<int64_t> offset = ParseOffset(rest);
  if (!seconds || !offset) return std::nullopt;
  constexpr int64_t kLastSecond = INT64_MAX / kSecond - 86'400;
  if (*seconds > kLastSecond) return std::nullopt;
  return (*seconds - *offset) * kSecond + fraction;
}

}  // namespace

Result<runtime::KeyValue> ParseVariable(std::string_view text) {
  size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return Expected("NAME=value", text);
  return runtime::KeyValue{std::string(text.substr(0, equals)),
                           std::string(text.substr(equals + 1))};
}

Result<Bytes> ParseMemory(std::string_view text) {
  constexpr uint64_t kMaxNumber = uint64_t{1} << 40;
  size_t digits = text.find_first_not_of("0123456789.");
  std::string_view unit =
      digits == std::string_view::npos ? std::string_view() : text.substr(digits);
  std::optional<uint64_t> thousandths = ParseThousandths(text.substr(0, digits), kMaxNumber);
  uint64_t mib = 0;
  if (thousandths && (unit.empty() || unit == "m" || unit == "M" || unit == "MiB")) {
    mib = *thousandths / 1000;
  } else if (thousandths && (unit == "g" || unit == "G" || unit == "GiB")) {
    mib = *thousandths * 1024 / 1000;
  }
  if (mib == 0 || mib > kMaxNumber) return Expected("memory such as 512, 512m or 1.5g", text);
  return Bytes::MiB(mib);
}

Result<runtime::Ulimit> ParseUlimit(std::string_view text) {
  constexpr std::string_view kForm = "a limit such as nofile=1024 or nofile=1024:4096";
  size_t equals = text.find('=');
  if (equals == std::string_view::npos) return Expected(kForm, text);
  runtime::Ulimit limit;
  limit.name = text.substr(0, equals);
  if (!runtime::RlimitByName(limit.name)) {
    return Error(Code::kInvalid, "no such limit '" + limit.name + "'");
  }
  std::string_view numbers = text.substr(equals + 1);
  size_t colon = numbers.find(':');
  std::optional<int64_t> soft = ParseLimit(numbers.substr(0, colon));
  std::optional<int64_t> hard =
      colon == std::string_view::npos ? soft : ParseLimit(numbers.substr(colon + 1));
  if (!soft || !hard) return Expected(kForm, text);
  limit.soft_limit = *soft;
  limit.hard_limit = *hard;
  return limit;
}

Result<runtime::PublishedPortPlan> ParsePublish(std::string_view text) {
  constexpr std::string_view kForm = "HOST:CONTAINER with an optional /tcp or /udp";
  constexpr uint64_t kMaxPort = 65'535;
  runtime::PublishedPortPlan port;
  std::string_view numbers = text.substr(0, text.find('/'));
  std::string_view protocol = text.substr(numbers.size());
  if (protocol == "/udp") {
    port.protocol = runtime::Protocol::kUdp;
  } else if (!protocol.empty() && protocol != "/tcp") {
    return Expected(kForm, text);
  }
  size_t colon = numbers.find(':');
  if (colon == std::string_view::npos) return Expected(kForm, text);
  uint64_t host = ParseUint(numbers.substr(0, colon), kMaxPort).value_or(0);
  uint64_t container = ParseUint(numbers.substr(colon + 1), kMaxPort).value_or(0);
  if (host == 0 || container == 0) return Expected("ports from 1 to 65535 as HOST:CONTAINER", text);
  port.host_port = static_cast<uint16_t>(host);
  port.container_port = static_cast<uint16_t>(container);
  return port;
}

Result<std::chrono::nanoseconds> ParseDuration(std::string_view text) {
  constexpr std::string_view kForm = "a duration such as 90s, 5m or 2h30m";
  int64_t sum = 0;
  std::string_view rest = text;
  if (rest.empty()) return Expected(kForm, text);
  while (!rest.empty()) {
    size_t digits = CountWhile(rest, isdigit);
    std::optional<uint64_t> number = ParseUint(rest.substr(0, digits), kMaxDurationNumber);
    rest.remove_prefix(digits);
    size_t letters = CountWhile(rest, isalpha);
    bool is_bare = letters == 0 && rest.empty() && sum == 0;
    const Unit* unit = FindUnit(is_bare ? std::string_view("s") : rest.substr(0, letters));
    if (!number || unit == nullptr) return Expected(kForm, text);
    constexpr int64_t kMaxSum = INT64_MAX / 4;
    int64_t part = 0;
    bool is_too_big =
        __builtin_mul_overflow(static_cast<int64_t>(*number), unit->nanoseconds, &part);
    if (is_too_big || part > kMaxSum - sum) return Expected(kForm, text);
    sum += part;
    rest.remove_prefix(letters);
  }
  return std::chrono::nanoseconds(sum);
}

Result<int64_t> ParseSince(std::string_view text, int64_t now) {
  if (std::optional<int64_t> time = ParseTime(text)) return *time;
  Result<std::chrono::nanoseconds> duration = ParseDuration(text);
  if (!duration.ok()) {
    return Expected("a duration such as 5m or a time such as 2026-01-31T12:00:00Z", text);
  }
  return now - duration.value().count();
}

Result<PullPolicy> ParsePullPolicy(std::string_view text) {
  if (text == "always") return PullPolicy::kAlways;
  if (text == "missing") return PullPolicy::kMissing;
  if (text == "never") return PullPolicy::kNever;
  return Error(Code::kInvalid,
               "expected always, missing or never, got '" + std::string(text) + "'");
}

}  // namespace skiff::tools
