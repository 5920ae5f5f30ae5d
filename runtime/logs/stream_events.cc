#include "runtime/logs/stream_events.h"

#include <fcntl.h>

#include <utility>

#include "isolation/sys/claim.h"
#include "isolation/sys/file.h"
#include "runtime/logs/log_reader.h"
#include "runtime/logs/segment.h"

namespace skiff::runtime {
namespace {

constexpr int64_t kMillisecond = 1'000'000;

Result<std::optional<UniqueFd>> OpenIfThere(const std::string& directory) {
  auto opened = sys::OpenDirectory(AT_FDCWD, directory);
  if (!opened.ok() && opened.error().code() == Code::kNotFound) return std::optional<UniqueFd>();
  UniqueFd fd = TRY(std::move(opened));
  return std::optional<UniqueFd>(std::move(fd));
}

Result<> ReadContainer(const EventRead& read, const EventVisitor& visit) {
  std::optional<UniqueFd> directory = TRY(OpenIfThere(read.directory));
  if (!directory) return {};
  LogReaderOptions options;
  if (read.since) options.since = *read.since * kMillisecond;
  options.tail = read.tail;
  LogReader reader = TRY(LogReader::Open(std::move(*directory), options));
  bool is_enough = false;
  return reader.ReadAvailable([&](const LogLine& line) {
    if (is_enough) return;
    LogEvent event;
    event.timestamp = line.wall_nanoseconds / kMillisecond;
    event.ingested = event.timestamp;
    event.message = std::string(line.text);
    // A notice has the id of what follows it.
    event.id = line.id << 1 | (line.is_notice ? 0 : 1);
    if (visit(event)) return;
    is_enough = true;
    reader.Stop();
  });
}

// The claim of a log's writer; nullopt while a container holds it.
Result<std::optional<UniqueFd>> TakeClaim(int directory) {
  UniqueFd claim = TRY(sys::Open(directory, kWriterClaimName, O_WRONLY | O_CREAT, 0600));
  bool is_ours = TRY(sys::TryClaim(claim.get()));
  if (!is_ours) return std::optional<UniqueFd>();
  return std::optional<UniqueFd>(std::move(claim));
}

Result<bool> IsOlder(int directory, uint32_t segment, int64_t before) {
  UniqueFd index = TRY(sys::Open(directory, SegmentIndexName(segment), O_RDONLY));
  struct stat info = TRY(sys::StatFd(index.get()));
  uint64_t records = static_cast<uint64_t>(info.st_size) / IndexRecord::kSize;
  if (records == 0) return static_cast<int64_t>(info.st_mtim.tv_sec) * 1000 < before;
  char bytes[IndexRecord::kSize];
  TRY(sys::ReadAt(index.get(), bytes, sizeof bytes, (records - 1) * IndexRecord::kSize));
  std::optional<IndexRecord> last = DecodeIndexRecord(bytes);
  return last && last->wall_nanoseconds / kMillisecond < before;
}

Result<> ExpireContainer(const std::string& path, int64_t before) {
  std::optional<UniqueFd> directory = TRY(OpenIfThere(path));
  if (!directory) return {};
  std::optional<UniqueFd> claim = TRY(TakeClaim(directory->get()));
  std::vector<uint32_t> segments = TRY(ListSegments(directory->get()));
  if (!claim && !segments.empty()) segments.pop_back();
  for (uint32_t segment : segments) {
    bool is_older = TRY(IsOlder(directory->get(), segment, before));
    if (!is_older) break;
    // The data first: data without an index would stay forever.
    TRY(sys::Unlink(directory->get(), SegmentDataName(segment)));
    TRY(sys::Unlink(directory->get(), SegmentIndexName(segment)));
  }
  return {};
}

}  // namespace

Result<> ReadStream(const EventRead& read, const EventVisitor& visit) {
  if (read.source == EventSource::kContainer) return ReadContainer(read, visit);
  return ReadEvents(read.directory, [&](const LogEvent& event) {
    return (read.since && event.timestamp < *read.since) || visit(event);
  });
}

Result<> ExpireStream(EventSource source, const std::string& directory, int64_t before) {
  return source == EventSource::kPut ? ExpireEvents(directory, before)
                                     : ExpireContainer(directory, before);
}

Result<uint64_t> StoredBytes(const std::string& directory) {
  std::optional<UniqueFd> folder = TRY(OpenIfThere(directory));
  if (!folder) return uint64_t{0};
  uint64_t bytes = 0;
  std::vector<std::string> names = TRY(sys::ListDirectory(folder->get(), "."));
  for (const std::string& name : names) {
    if (!name.ends_with(".log") && !name.ends_with(".events")) continue;
    Result<struct stat> info = sys::Stat(folder->get(), name);
    // A writer may have removed it just now.
    if (info.ok()) bytes += static_cast<uint64_t>(info.value().st_size);
  }
  return bytes;
}

Result<bool> RemoveStream(EventSource source, const std::string& directory) {
  std::optional<UniqueFd> folder = TRY(OpenIfThere(directory));
  if (!folder) return true;
  std::optional<UniqueFd> claim;
  if (source == EventSource::kContainer) {
    claim = TRY(TakeClaim(folder->get()));
    if (!claim) return false;
  }
  TRY(sys::RemoveTree(AT_FDCWD, directory));
  return true;
}

}  // namespace skiff::runtime
