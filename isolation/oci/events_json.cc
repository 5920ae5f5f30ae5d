#include <fcntl.h>
#include <poll.h>

#include <nlohmann/json.hpp>

#include "isolation/base/clock.h"
#include "isolation/base/json.h"
#include "isolation/base/text.h"
#include "isolation/cgroup.h"
#include "isolation/oci/events.h"
#include "isolation/oci/lifecycle.h"
#include "isolation/oci/state.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::isolation::oci {
namespace {

using Json = nlohmann::ordered_json;

// A container's groups, one directory a hierarchy: a file is where its controller is.
class Files {
 public:
  explicit Files(std::vector<std::string> directories) : directories_(std::move(directories)) {}

  std::string PathOf(const char* name) const {
    for (const std::string& directory : directories_) {
      std::string path = directory + "/" + name;
      if (sys::Exists(AT_FDCWD, path)) return path;
    }
    return "";
  }
  std::string Text(const char* name) const {
    std::string path = PathOf(name);
    return path.empty() ? "" : sys::ReadFile(AT_FDCWD, path).ValueOr("");
  }
  // The first of the names that is there; "max" and what is not there are `otherwise`.
  uint64_t Number(std::initializer_list<const char*> names, uint64_t otherwise = 0) const {
    for (const char* name : names) {
      std::string text = Text(name);
      if (!text.empty()) return ParseUint(TrimSpace(text)).value_or(otherwise);
    }
    return otherwise;
  }
  // A "key value" line of a file.
  uint64_t Entry(const char* file, std::string_view key) const {
    std::string text = Text(file);
    for (std::string_view line : Split(text, '\n')) {
      std::vector<std::string_view> words = Split(line, ' ');
      if (words.size() == 2 && words[0] == key) return ParseUint(words[1]).value_or(0);
    }
    return 0;
  }

 private:
  std::vector<std::string> directories_;
};

Json CpuUsage(const Files& files) {
  constexpr uint64_t kMicrosecond = 1000;
  uint64_t total = files.Number({"cpuacct.usage"});
  uint64_t user = files.Number({"cpuacct.usage_user"});
  uint64_t kernel = files.Number({"cpuacct.usage_sys"});
  if (total == 0) {
    total = files.Entry("cpu.stat", "usage_usec") * kMicrosecond;
    user = files.Entry("cpu.stat", "user_usec") * kMicrosecond;
    kernel = files.Entry("cpu.stat", "system_usec") * kMicrosecond;
  }
  return {{"total", total}, {"kernel", kernel}, {"user", user}};
}

Json MemoryRaw(const Files& files) {
  Json raw = Json::object();
  std::string text = files.Text("memory.stat");
  for (std::string_view line : Split(text, '\n')) {
    std::vector<std::string_view> words = Split(line, ' ');
    if (words.size() == 2) raw[std::string(words[0])] = ParseUint(words[1]).value_or(0);
  }
  return raw;
}

// "8:0 rbytes=1 wbytes=2 ...".
Json BlockTransfers(const Files& files) {
  Json entries = Json::array();
  std::string text = files.Text("io.stat");
  for (std::string_view line : Split(text, '\n')) {
    std::vector<std::string_view> words = Split(line, ' ');
    std::vector<std::string_view> numbers = Split(words[0], ':');
    if (numbers.size() != 2) continue;
    for (auto [key, operation] : {std::pair{"rbytes=", "Read"}, {"wbytes=", "Write"}}) {
      for (std::string_view word : words) {
        if (word.rfind(key, 0) != 0) continue;
        entries.push_back({{"major", ParseUint(numbers[0]).value_or(0)},
                           {"minor", ParseUint(numbers[1]).value_or(0)},
                           {"op", operation},
                           {"value", ParseUint(word.substr(7)).value_or(0)}});
      }
    }
  }
  return entries;
}

Json Statistics(const Files& files) {
  Json usage = {
      {"limit", files.Number({"memory.max", "memory.limit_in_bytes"}, UINT64_MAX)},
      {"usage", files.Number({"memory.current", "memory.usage_in_bytes"})},
      {"max", files.Number({"memory.peak", "memory.max_usage_in_bytes"})},
      {"failcnt", files.Entry("memory.events", "max") + files.Number({"memory.failcnt"})}};
  Json swap = {
      {"limit", files.Number({"memory.swap.max", "memory.memsw.limit_in_bytes"}, UINT64_MAX)},
      {"usage", files.Number({"memory.swap.current", "memory.memsw.usage_in_bytes"})},
      {"failcnt", files.Entry("memory.swap.events", "fail")}};
  Json throttling = {{"periods", files.Entry("cpu.stat", "nr_periods")},
                     {"throttledPeriods", files.Entry("cpu.stat", "nr_throttled")},
                     {"throttledTime", files.Entry("cpu.stat", "throttled_usec") * 1000 +
                                           files.Entry("cpu.stat", "throttled_time")}};
  return {{"cpu", {{"usage", CpuUsage(files)}, {"throttling", throttling}}},
          {"memory", {{"usage", usage}, {"swap", swap}, {"raw", MemoryRaw(files)}}},
          {"pids",
           {{"current", files.Number({"pids.current"})}, {"limit", files.Number({"pids.max"})}}},
          {"blkio", {{"ioServiceBytesRecursive", BlockTransfers(files)}}},
          {"hugetlb", Json::object()},
          {"intel_rdt", Json::object()},
          {"network_interfaces", nullptr}};
}

std::string Line(const std::string& type, const std::string& id, Json data = nullptr) {
  Json event = {{"type", type}, {"id", id}};
  if (!data.is_null()) event["data"] = std::move(data);
  return event.dump() + "\n";
}

// Read once, as poll(2) tells of changes since. Invalid where there is none, or none any more: a
// group may go at any moment, and then its container's process has ended.
UniqueFd OpenMemoryEvents(const Files& files) {
  std::string path = files.PathOf("memory.events");
  if (path.empty()) return UniqueFd();
  Result<UniqueFd> opened = sys::Open(AT_FDCWD, path, O_RDONLY);
  if (!opened.ok() || !sys::ReadAll(opened.value().get(), path).ok()) return UniqueFd();
  return std::move(opened).value();
}

uint64_t OomKills(const Files& files) {
  return files.Entry("memory.events", "oom_kill") + files.Entry("memory.oom_control", "oom_kill");
}

}  // namespace

Result<std::chrono::milliseconds> ParseInterval(const std::string& text) {
  constexpr std::pair<std::string_view, int64_t> kUnits[] = {
      {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};
  constexpr uint64_t kMost = 1'000'000;
  int64_t total = 0;
  for (std::string_view rest = text; !rest.empty();) {
    size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    std::optional<uint64_t> number = ParseUint(rest.substr(0, digits), kMost);
    rest.remove_prefix(digits);
    std::string_view unit = rest.substr(0, rest.find_first_of("0123456789"));
    rest.remove_prefix(unit.size());
    int64_t factor = 0;
    for (const auto& [name, milliseconds] : kUnits) factor = name == unit ? milliseconds : factor;
    if (!number || factor == 0)
      return Error(Code::kInvalid,
                   "--interval '" + text + "' is not a duration such as 5s or 100ms");
    total += static_cast<int64_t>(*number) * factor;
  }
  if (total <= 0) return Error(Code::kInvalid, "--interval must be greater than 0");
  return std::chrono::milliseconds(total);
}

Result<> WatchEvents(const CommandContext& context, const std::string& id,
                     const EventOptions& options,
                     const std::function<void(std::string_view)>& emit) {
  State state = TRY(FindContainer(context, id));
  UniqueFd process = OpenContainerProcess(state);
  if (!process.valid())
    return Error(Code::kConflict, "container '" + id + "' is " + state.status + ", not running");
  if (state.cgroup_path.empty())
    return Error(Code::kInvalid, "container '" + id + "' has no cgroup: what it uses is unknown");
  CgroupHost host = TRY(CgroupHost::Discover(CgroupHost::Hierarchies::kEvery));
  Files files(host.Directories(state.cgroup_path));
  emit(Line("stats", id, Statistics(files)));
  if (options.is_once) return {};
  uint64_t kills = OomKills(files);
  int64_t next = MonotonicNanoseconds() + Nanoseconds(options.interval).count();
  for (;;) {
    // Ready with POLLPRI when it has changed since it was opened; cgroup v1 has no such file, there
    // the count is looked at with each statistic.
    UniqueFd memory = OpenMemoryEvents(files);
    pollfd watched[] = {{.fd = process.get(), .events = POLLIN, .revents = 0},
                        {.fd = memory.get(), .events = POLLPRI, .revents = 0}};
    int64_t left = std::max<int64_t>(0, next - MonotonicNanoseconds());
    int count = poll(watched, 2, static_cast<int>(left / 1'000'000 + 1));
    if (count < 0 && errno != EINTR) return Error::FromErrno(errno, "poll");
    uint64_t seen = OomKills(files);
    if (seen > kills) emit(Line("oom", id));
    kills = std::max(kills, seen);
    if ((watched[0].revents & POLLIN) != 0) return {};
    if (MonotonicNanoseconds() < next) continue;
    next += Nanoseconds(options.interval).count();
    emit(Line("stats", id, Statistics(files)));
  }
}

}  // namespace skiff::isolation::oci
