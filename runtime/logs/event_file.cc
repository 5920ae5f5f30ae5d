#include "runtime/logs/event_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <optional>

#include "isolation/sys/file.h"
#include "runtime/logs/limits.h"

namespace skiff::runtime {
namespace {

constexpr size_t kHeader = 20;
constexpr std::string_view kSuffix = ".events";

void AppendNumber(uint64_t number, size_t bytes, std::string& out) {
  for (size_t i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i) & 0xff);
}

uint64_t NumberAt(std::string_view bytes, size_t at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) {
    number |= uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return number;
}

std::string NameOf(uint32_t number) {
  char name[32];
  snprintf(name, sizeof name, "%06u.events", number);
  return name;
}

Result<std::vector<uint32_t>> ListFiles(int directory) {
  std::vector<std::string> names = TRY(sys::ListDirectory(directory, "."));
  std::vector<uint32_t> numbers;
  for (const std::string& name : names) {
    unsigned number = 0;
    if (!name.ends_with(kSuffix) || sscanf(name.c_str(), "%6u", &number) != 1) continue;
    if (NameOf(number) == name) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

struct Decoded {
  std::vector<LogEvent> events;
  uint64_t end = 0;  // of the last whole record
};

Result<Decoded> DecodeFile(int directory, uint32_t number) {
  // A file takes one batch beyond its size.
  Bytes limit(kEventFileSize + 2 * kMaxEventMessage + kHeader * 20'000);
  std::string bytes = TRY(sys::ReadFile(directory, NameOf(number), limit));
  Decoded decoded;
  while (decoded.end + kHeader <= bytes.size()) {
    uint64_t length = NumberAt(bytes, decoded.end, 4);
    uint64_t next = decoded.end + kHeader + length;
    if (length > kMaxEventMessage || next > bytes.size()) break;
    decoded.events.push_back({static_cast<int64_t>(NumberAt(bytes, decoded.end + 4, 8)),
                              static_cast<int64_t>(NumberAt(bytes, decoded.end + 12, 8)),
                              bytes.substr(decoded.end + kHeader, length),
                              uint64_t{number} << 32 | decoded.end});
    decoded.end = next;
  }
  return decoded;
}

Result<std::optional<UniqueFd>> OpenIfThere(const std::string& directory) {
  auto opened = sys::OpenDirectory(AT_FDCWD, directory);
  if (!opened.ok() && opened.error().code() == Code::kNotFound) return std::optional<UniqueFd>();
  UniqueFd fd = TRY(std::move(opened));
  return std::optional<UniqueFd>(std::move(fd));
}

}  // namespace

Result<> AppendEvents(const std::string& directory, const std::vector<LogEvent>& events) {
  if (events.empty()) return {};
  TRY(sys::MakeDirectories(directory, 0700));
  UniqueFd folder = TRY(sys::OpenDirectory(AT_FDCWD, directory));
  std::vector<uint32_t> files = TRY(ListFiles(folder.get()));
  uint32_t number = files.empty() ? 1 : files.back();
  Decoded last;
  if (!files.empty()) last = TRY(DecodeFile(folder.get(), number));
  bool is_old = !last.events.empty() &&
                events.front().ingested - last.events.front().ingested > kEventFileMilliseconds;
  if (is_old || last.end >= kEventFileSize) {
    ++number;
    last.end = 0;
  }
  std::string bytes;
  for (const LogEvent& event : events) {
    AppendNumber(event.message.size(), 4, bytes);
    AppendNumber(static_cast<uint64_t>(event.timestamp), 8, bytes);
    AppendNumber(static_cast<uint64_t>(event.ingested), 8, bytes);
    bytes += event.message;
  }
  std::string name = NameOf(number);
  UniqueFd file = TRY(sys::Open(folder.get(), name, O_WRONLY | O_CREAT, 0600));
  auto end = static_cast<int64_t>(last.end);
  TRY(sys::Truncate(file.get(), end));
  auto write = [&]() -> Result<> {
    TRY(sys::WriteAt(file.get(), bytes, end, name));
    TRY(sys::Sync(file.get()).Context(name));
    // A new file's name must outlive a loss of power as well.
    return last.end == 0 ? sys::Sync(folder.get()) : Result<>();
  };
  Result<> written = write();
  if (!written.ok()) sys::Truncate(file.get(), end).Ignore();
  return written;
}

Result<> ReadEvents(const std::string& directory, const EventVisitor& visit) {
  std::optional<UniqueFd> folder = TRY(OpenIfThere(directory));
  if (!folder) return {};
  std::vector<uint32_t> files = TRY(ListFiles(folder->get()));
  for (uint32_t number : files) {
    Decoded decoded = TRY(DecodeFile(folder->get(), number));
    for (const LogEvent& event : decoded.events) {
      if (!visit(event)) return {};
    }
  }
  return {};
}

Result<> ExpireEvents(const std::string& directory, int64_t before) {
  std::optional<UniqueFd> folder = TRY(OpenIfThere(directory));
  if (!folder) return {};
  std::vector<uint32_t> files = TRY(ListFiles(folder->get()));
  for (uint32_t number : files) {
    Decoded decoded = TRY(DecodeFile(folder->get(), number));
    bool is_expired = std::all_of(decoded.events.begin(), decoded.events.end(),
                                  [&](const auto& event) { return event.timestamp < before; });
    // The newest stays until a newer one exists: ids go on from its name, none is given twice.
    if (is_expired && number != files.back()) TRY(sys::Unlink(folder->get(), NameOf(number)));
  }
  return {};
}

}  // namespace skiff::runtime
