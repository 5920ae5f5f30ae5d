#include <array>

#include "isolation/base/json.h"
#include "isolation/base/text.h"
#include "isolation/oci/config_parts.h"
#include "isolation/oci/limits.h"

// How a process is to be scheduled: process.scheduler, ioPriority and execCPUAffinity.
namespace skiff::isolation::oci {
namespace {

constexpr uint64_t kMaxProcessors = 1024;  // of cpu_set_t

using Names = std::pair<std::string_view, uint32_t>;

constexpr std::array<Names, 7> kPolicies = {{{"SCHED_OTHER", 0},
                                             {"SCHED_FIFO", 1},
                                             {"SCHED_RR", 2},
                                             {"SCHED_BATCH", 3},
                                             {"SCHED_ISO", 4},
                                             {"SCHED_IDLE", 5},
                                             {"SCHED_DEADLINE", 6}}};
constexpr std::array<Names, 7> kFlags = {{{"SCHED_FLAG_RESET_ON_FORK", 0x01},
                                          {"SCHED_FLAG_RECLAIM", 0x02},
                                          {"SCHED_FLAG_DL_OVERRUN", 0x04},
                                          {"SCHED_FLAG_KEEP_POLICY", 0x08},
                                          {"SCHED_FLAG_KEEP_PARAMS", 0x10},
                                          {"SCHED_FLAG_UTIL_CLAMP_MIN", 0x20},
                                          {"SCHED_FLAG_UTIL_CLAMP_MAX", 0x40}}};
constexpr std::array<Names, 3> kClasses = {
    {{"IOPRIO_CLASS_RT", 1}, {"IOPRIO_CLASS_BE", 2}, {"IOPRIO_CLASS_IDLE", 3}}};

template <typename Table>
Result<uint32_t> Lookup(const Table& table, const JsonCursor& cursor) {
  std::string name = TRY(cursor.String());
  for (const auto& [known, value] : table) {
    if (known == name) return value;
  }
  return cursor.Invalid("'" + name + "' is unknown");
}

Result<SchedulingSpec> ParseScheduler(const JsonCursor& scheduler) {
  SchedulingSpec spec;
  JsonCursor policy = TRY(scheduler.Get("policy"));
  spec.policy = TRY(Lookup(kPolicies, policy));
  std::vector<JsonCursor> flags = TRY(FindList(scheduler, "flags"));
  for (const JsonCursor& cursor : flags) spec.flags |= TRY(Lookup(kFlags, cursor));
  std::optional<int64_t> nice = TRY(scheduler.FindInteger("nice", -20, 19));
  std::optional<int64_t> priority = TRY(scheduler.FindInteger("priority", 0, 99));
  spec.nice = static_cast<int32_t>(nice.value_or(0));
  spec.priority = static_cast<uint32_t>(priority.value_or(0));
  for (auto [name, value] : {std::pair{"runtime", &spec.runtime},
                             {"deadline", &spec.deadline},
                             {"period", &spec.period}}) {
    std::optional<int64_t> nanoseconds = TRY(scheduler.FindInteger(name, 0));
    *value = static_cast<uint64_t>(nanoseconds.value_or(0));
  }
  return spec;
}

// "0-3,7".
Result<std::vector<int>> ParseProcessors(const JsonCursor& cursor) {
  std::string text = TRY(cursor.String());
  std::vector<int> processors;
  if (text.empty()) return processors;
  for (std::string_view piece : Split(text, ',')) {
    std::vector<std::string_view> ends = Split(TrimSpace(piece), '-');
    std::optional<uint64_t> first = ParseUint(ends[0], kMaxProcessors - 1);
    std::optional<uint64_t> last =
        ends.size() == 2 ? ParseUint(ends[1], kMaxProcessors - 1) : first;
    if (!first || !last || ends.size() > 2 || *last < *first)
      return cursor.Invalid("'" + text + "' is not a list of processors such as 0-3,7");
    for (uint64_t i = *first; i <= *last; ++i) processors.push_back(static_cast<int>(i));
  }
  return processors;
}

}  // namespace

Result<> ParseScheduling(const JsonCursor& process, Process* parsed) {
  std::optional<JsonCursor> scheduler = TRY(process.Find("scheduler"));
  if (scheduler) parsed->scheduling = TRY(ParseScheduler(*scheduler));
  std::optional<JsonCursor> io = TRY(process.Find("ioPriority"));
  if (io) {
    JsonCursor class_cursor = TRY(io->Get("class"));
    uint32_t io_class = TRY(Lookup(kClasses, class_cursor));
    std::optional<int64_t> priority = TRY(io->FindInteger("priority", 0, 7));
    constexpr int kClassShift = 13;  // IOPRIO_CLASS_SHIFT
    parsed->io_priority =
        static_cast<int>(io_class << kClassShift) | static_cast<int>(priority.value_or(0));
  }
  std::optional<JsonCursor> affinity = TRY(process.Find("execCPUAffinity"));
  if (!affinity) return {};
  for (auto [name, list] :
       {std::pair{"initial", &parsed->initial_processors}, {"final", &parsed->final_processors}}) {
    std::optional<JsonCursor> cursor = TRY(affinity->Find(name));
    if (cursor) *list = TRY(ParseProcessors(*cursor));
  }
  return {};
}

}  // namespace skiff::isolation::oci
