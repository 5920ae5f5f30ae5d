#include "images/tar_header.h"

#include <algorithm>
#include <cstring>

#include "isolation/base/text.h"

namespace skiff::images {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;
// What every file system and struct timespec can hold with room to spare: the year 31 million.
constexpr uint64_t kMaxSeconds = 1'000'000'000'000'000;

Error BadNumber(std::string_view what) {
  return Error(Code::kInvalid, std::string(what) + " of the tar header is not a number");
}

// Base-256: the first byte's top bit marks it, the rest is a big-endian two's complement number.
Result<int64_t> ParseBase256(std::string_view field, std::string_view what) {
  bool is_negative = (field[0] & 0x40) != 0;
  uint64_t value = is_negative ? UINT64_MAX : 0;
  for (size_t i = 0; i < field.size(); ++i) {
    uint8_t byte = static_cast<uint8_t>(field[i]);
    // The marking bit counts as a copy of the sign.
    if (i == 0) byte = static_cast<uint8_t>(is_negative ? byte | 0x80 : byte & 0x7f);
    uint64_t top = value >> 55;
    if (top != 0 && top != UINT64_MAX >> 55) {
      return Error(Code::kInvalid, std::string(what) + " of the tar header is out of range");
    }
    value = value << 8 | byte;
  }
  return static_cast<int64_t>(value);
}

Result<int64_t> ParseOctal(std::string_view field, std::string_view what) {
  size_t end = field.find('\0');
  if (end != std::string_view::npos) field = field.substr(0, end);
  field = TrimSpace(field);
  uint64_t value = 0;
  for (char c : field) {
    if (c < '0' || c > '7' || value >> 60 != 0) return BadNumber(what);
    value = value * 8 + static_cast<uint64_t>(c - '0');
  }
  return static_cast<int64_t>(value);
}

}  // namespace

bool TarBlock::IsZero() const {
  return std::all_of(block_, block_ + kTarBlock, [](char c) { return c == 0; });
}

bool TarBlock::HasValidChecksum() const {
  Result<int64_t> expected = SignedNumber(148, 8, "checksum");
  if (!expected.ok()) return false;
  int64_t as_unsigned = 0;
  int64_t as_signed = 0;  // what some old writers computed
  for (size_t i = 0; i < kTarBlock; ++i) {
    char c = i >= 148 && i < 156 ? ' ' : block_[i];
    as_unsigned += static_cast<unsigned char>(c);
    as_signed += static_cast<signed char>(c);
  }
  return expected.value() == as_unsigned || expected.value() == as_signed;
}

std::string TarBlock::Text(size_t offset, size_t width) const {
  return std::string(block_ + offset, strnlen(block_ + offset, width));
}

std::string TarBlock::Name() const {
  std::string name = Text(0, 100);
  // GNU headers ("ustar  ") keep other things where ustar has its prefix; star's prefix is shorter.
  if (memcmp(block_ + 257, "ustar\0", 6) != 0) return name;
  bool is_star = memcmp(block_ + 508, "tar\0", 4) == 0;
  std::string prefix = Text(345, is_star ? 131 : 155);
  return prefix.empty() ? name : prefix + "/" + name;
}

Result<int64_t> TarBlock::SignedNumber(size_t offset, size_t width, std::string_view what) const {
  std::string_view field(block_ + offset, width);
  return (field[0] & '\x80') != 0 ? ParseBase256(field, what) : ParseOctal(field, what);
}

Result<uint64_t> TarBlock::Number(size_t offset, size_t width, std::string_view what) const {
  int64_t value = TRY(SignedNumber(offset, width, what));
  if (value < 0) {
    return Error(Code::kInvalid, std::string(what) + " of the tar header is negative");
  }
  return static_cast<uint64_t>(value);
}

Result<PaxRecords> ParsePaxRecords(std::string_view body) {
  PaxRecords records;
  while (!body.empty()) {
    size_t space = body.find(' ');
    std::optional<uint64_t> length;
    if (space != std::string_view::npos) length = ParseUint(body.substr(0, space), body.size());
    if (!length || *length < space + 3 || body[*length - 1] != '\n') {
      return Error(Code::kInvalid, "a record of the PAX header has a wrong length");
    }
    std::string_view record = body.substr(space + 1, *length - space - 2);
    size_t equals = record.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Error(Code::kInvalid, "a record of the PAX header has no keyword");
    }
    records.emplace_back(record.substr(0, equals), record.substr(equals + 1));
    body.remove_prefix(*length);
  }
  return records;
}

std::optional<timespec> ParsePaxTime(std::string_view text) {
  bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  size_t dot = text.find('.');
  std::string_view whole = text.substr(0, dot);
  std::string fraction(dot == std::string_view::npos ? "" : text.substr(dot + 1));
  if (fraction.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  fraction.resize(9, '0');
  std::optional<uint64_t> seconds = ParseUint(whole, kMaxSeconds);
  std::optional<uint64_t> nanoseconds = ParseUint(fraction);
  if (!seconds || !nanoseconds) return std::nullopt;
  timespec time{static_cast<time_t>(*seconds), static_cast<long>(*nanoseconds)};
  if (!is_negative) return time;
  time.tv_sec = -time.tv_sec;
  if (time.tv_nsec > 0) {
    time.tv_sec -= 1;
    time.tv_nsec = kNanosecondsPerSecond - time.tv_nsec;
  }
  return time;
}

}  // namespace skiff::images
