#include <array>

#include "isolation/base/json.h"
#include "isolation/base/text.h"
#include "isolation/limits.h"
#include "isolation/oci/config_parts.h"
#include "isolation/oci/limits.h"

// How a process is to be scheduled: process.scheduler, ioPriority and execCPUAffinity; and where
// its memory comes from: linux.memoryPolicy.
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

// linux/mempolicy.h; the last mode came with Linux 6.9.
constexpr std::array<Names, 7> kMemoryModes = {{{"MPOL_DEFAULT", 0},
                                                {"MPOL_PREFERRED", 1},
                                                {"MPOL_BIND", 2},
                                                {"MPOL_INTERLEAVE", 3},
                                                {"MPOL_LOCAL", 4},
                                                {"MPOL_PREFERRED_MANY", 5},
                                                {"MPOL_WEIGHTED_INTERLEAVE", 6}}};
constexpr std::array<Names, 3> kMemoryFlags = {{{"MPOL_F_NUMA_BALANCING", 1U << 13},
                                                {"MPOL_F_RELATIVE_NODES", 1U << 14},
                                                {"MPOL_F_STATIC_NODES", 1U << 15}}};

// `what`: as in the error, "" for none.
template <typename Table>
Result<uint32_t> Lookup(const Table& table, const JsonCursor& cursor, std::string_view what = "") {
  std::string name = TRY(cursor.String());
  for (const auto& [known, value] : table) {
    if (known == name) return value;
  }
  return cursor.Invalid(std::string(what) + "'" + name + "' is unknown");
}

template <typename Table>
std::vector<std::string> NamesOf(const Table& table) {
  std::vector<std::string> names;
  for (const auto& [name, value] : table) names.emplace_back(name);
  return names;
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

// "0-3,7": numbers below `limit`. `what`: of processors, of nodes.
template <typename Number>
Result<std::vector<Number>> ParseNumbers(const JsonCursor& cursor, uint64_t limit,
                                         const std::string& what) {
  std::string text = TRY(cursor.String());
  std::vector<Number> numbers;
  if (text.empty()) return numbers;
  for (std::string_view piece : Split(text, ',')) {
    std::vector<std::string_view> ends = Split(TrimSpace(piece), '-');
    std::optional<uint64_t> first = ParseUint(ends[0], limit - 1);
    std::optional<uint64_t> last = ends.size() == 2 ? ParseUint(ends[1], limit - 1) : first;
    if (!first || !last || ends.size() > 2 || *last < *first)
      return cursor.Invalid(what + ": '" + text +
                            "' is not a list such as 0-3,7 of numbers below " +
                            std::to_string(limit));
    for (uint64_t i = *first; i <= *last; ++i) numbers.push_back(static_cast<Number>(i));
  }
  return numbers;
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
    if (cursor) *list = TRY(ParseNumbers<int>(*cursor, kMaxProcessors, "invalid processors"));
  }
  return {};
}

// Which of mode, nodes and flags go together is the kernel's to say. One that says nothing at all
// asks for nothing, as with runc.
Result<> ParseMemoryPolicy(const JsonCursor& linux_section, Config* config) {
  std::optional<JsonCursor> policy = TRY(linux_section.Find("memoryPolicy"));
  if (!policy) return {};
  auto members = TRY(policy->Members());
  if (members.empty()) return {};
  MemoryPolicySpec spec;
  JsonCursor mode = TRY(policy->Get("mode"));
  uint32_t bits = TRY(Lookup(kMemoryModes, mode, "invalid memory policy mode: "));
  std::vector<JsonCursor> flags = TRY(FindList(*policy, "flags"));
  for (const JsonCursor& cursor : flags)
    bits |= TRY(Lookup(kMemoryFlags, cursor, "invalid memory policy flag: "));
  spec.mode = static_cast<int>(bits);
  std::optional<JsonCursor> nodes = TRY(policy->Find("nodes"));
  if (nodes)
    spec.nodes =
        TRY(ParseNumbers<unsigned>(*nodes, kMaxMemoryNodes, "invalid memory policy nodes"));
  config->memory_policy = std::move(spec);
  return {};
}

std::vector<std::string> KnownMemoryPolicyModes() { return NamesOf(kMemoryModes); }
std::vector<std::string> KnownMemoryPolicyFlags() { return NamesOf(kMemoryFlags); }

}  // namespace skiff::isolation::oci
