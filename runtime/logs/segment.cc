#include "runtime/logs/segment.h"

#include <cstdio>
#include <cstring>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "runtime/logs/limits.h"

namespace skiff::runtime {
namespace {

constexpr std::string_view kIndexSuffix = ".idx";
constexpr size_t kDigits = 6;

template <typename Number>
void AppendLittleEndian(Number number, std::string& out) {
  for (size_t i = 0; i < sizeof(Number); ++i) {
    out.push_back(static_cast<char>(static_cast<uint64_t>(number) >> (8 * i) & 0xff));
  }
}

template <typename Number>
Number ReadLittleEndian(const char* bytes) {
  uint64_t number = 0;
  for (size_t i = sizeof(Number); i-- > 0;) {
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return static_cast<Number>(number);
}

std::string Name(uint32_t number, const char* suffix) {
  char name[32];
  snprintf(name, sizeof(name), "%06u%s", number, suffix);
  return name;
}

}  // namespace

void AppendIndexRecord(const IndexRecord& record, std::string& out) {
  AppendLittleEndian(record.wall_nanoseconds, out);
  AppendLittleEndian(record.offset, out);
  AppendLittleEndian(record.length, out);
  AppendLittleEndian(static_cast<uint8_t>(record.stream), out);
  AppendLittleEndian(record.flags, out);
  AppendLittleEndian(uint16_t{0}, out);
}

std::optional<IndexRecord> DecodeIndexRecord(const char* bytes) {
  IndexRecord record;
  record.wall_nanoseconds = ReadLittleEndian<int64_t>(bytes);
  record.offset = ReadLittleEndian<uint64_t>(bytes + 8);
  record.length = ReadLittleEndian<uint32_t>(bytes + 16);
  record.stream = static_cast<LogStream>(ReadLittleEndian<uint8_t>(bytes + 20));
  record.flags = ReadLittleEndian<uint8_t>(bytes + 21);
  if (record.stream != LogStream::kStdout && record.stream != LogStream::kStderr) return {};
  return record;
}

std::string SegmentDataName(uint32_t number) { return Name(number, ".log"); }
std::string SegmentIndexName(uint32_t number) { return Name(number, ".idx"); }

Result<std::vector<uint32_t>> ListSegments(int directory) {
  std::vector<std::string> names = TRY(sys::ListDirectory(directory, "."));
  std::vector<uint32_t> numbers;
  for (std::string_view name : names) {
    if (name.size() != kDigits + kIndexSuffix.size() || !name.ends_with(kIndexSuffix)) continue;
    auto number = ParseUint(name.substr(0, kDigits), kMaxSegmentNumber);
    if (number && *number > 0) numbers.push_back(static_cast<uint32_t>(*number));
  }
  return numbers;  // ListDirectory sorts, and the names have one length
}

}  // namespace skiff::runtime
