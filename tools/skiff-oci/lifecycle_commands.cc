#include <fcntl.h>
#include <regex.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <sstream>

#include "isolation/base/text.h"
#include "isolation/oci/events.h"
#include "isolation/oci/lifecycle.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "tools/skiff-oci/commands.h"

namespace skiff::oci_tool {
namespace {

namespace oci = skiff::isolation::oci;

void Print(const std::string& text) { fwrite(text.data(), 1, text.size(), stdout); }

struct Arguments {
  std::string id;
  std::string signal = "TERM";
  std::string format = "table";
  std::vector<std::string> extra;
  bool is_quiet = false;
  bool is_forced = false;
  bool is_for_all = false;
  bool is_regex = false;
};

std::shared_ptr<Arguments> AddName(CLI::App* command) {
  auto arguments = std::make_shared<Arguments>();
  command->add_option("CONTAINER_ID", arguments->id, "Name of the container")->required();
  return arguments;
}

Result<> PrintState(const Session& session, const Arguments& arguments) {
  oci::State state = TRY(oci::FindContainer(session.context, arguments.id));
  Print(oci::EncodePublicState(state));
  return {};
}

std::string Column(const std::string& text, size_t width) {
  return text.size() < width ? text + std::string(width - text.size(), ' ') : text + " ";
}

Result<> PrintList(const Session& session, const Arguments& arguments) {
  std::vector<oci::State> states = TRY(oci::FindContainers(session.context));
  if (arguments.format == "json" && !arguments.is_quiet) {
    Print(oci::EncodeStates(states));
    return {};
  }
  auto row = [](const std::string& id, const std::string& pid, const oci::State& state) {
    return Column(id, 36) + Column(pid, 9) + Column(state.status, 9) + Column(state.bundle, 40) +
           Column(state.created, 31) + state.owner + "\n";
  };
  oci::State titles;
  titles.status = "STATUS";
  titles.bundle = "BUNDLE";
  titles.created = "CREATED";
  titles.owner = "OWNER";
  if (!arguments.is_quiet) Print(row("ID", "PID", titles));
  for (const oci::State& state : states)
    Print(arguments.is_quiet ? state.id + "\n" : row(state.id, std::to_string(state.pid), state));
  return {};
}

std::vector<std::string> Words(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), std::istream_iterator<std::string>()};
}

Result<std::string> AskPs(const std::vector<std::string>& options) {
  sys::Pipe output = TRY(sys::MakePipe());
  sys::SpawnSpec spec;
  spec.path = "/bin/ps";
  spec.arguments = {"ps"};
  spec.arguments.insert(spec.arguments.end(), options.begin(), options.end());
  spec.environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"};
  spec.fds = {STDIN_FILENO, output.write_end.get(), STDERR_FILENO};
  sys::Process process = TRY(sys::Spawn(spec));
  output.write_end.Reset();
  std::string text = TRY(sys::ReadAll(output.read_end.get(), "ps"));
  std::optional<sys::ExitStatus> status = TRY(sys::WaitPidfd(process.pidfd.get(), true));
  if (status->ShellCode() != 0)
    return Error(Code::kInvalid, "ps: exit status " + std::to_string(status->ShellCode()));
  return text;
}

// ps(1) knows the columns people want; ours to pick are the lines.
Result<> PrintTable(const std::vector<int>& pids, const std::vector<std::string>& options) {
  std::string text = TRY(AskPs(options.empty() ? std::vector<std::string>{"-ef"} : options));
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  std::vector<std::string> titles = Words(line);
  auto title = std::find(titles.begin(), titles.end(), "PID");
  if (title == titles.end()) return Error(Code::kInvalid, "ps: these options give no PID column");
  auto column = static_cast<size_t>(title - titles.begin());
  Print(line + "\n");
  while (std::getline(lines, line)) {
    std::vector<std::string> fields = Words(line);
    int pid = column < fields.size() ? atoi(fields[column].c_str()) : -1;
    if (std::find(pids.begin(), pids.end(), pid) != pids.end()) Print(line + "\n");
  }
  return {};
}

Result<> PrintProcesses(const Session& session, const Arguments& arguments) {
  std::vector<int> pids = TRY(oci::ContainerProcesses(session.context, arguments.id));
  if (arguments.format == "table") return PrintTable(pids, arguments.extra);
  std::string text = "[";
  for (int pid : pids) text += (text.size() > 1 ? "," : "") + std::to_string(pid);
  Print(text + "]\n");
  return {};
}

// One container by its name, or with --regex each that matches; the first error counts, and the
// others have their turn.
Result<> ForEach(const Session& session, const Arguments& arguments,
                 const std::function<Result<>(const std::string&)>& act) {
  if (!arguments.is_regex) return act(arguments.id);
  regex_t pattern{};
  if (regcomp(&pattern, arguments.id.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
    return Error(Code::kInvalid, "--regex: '" + arguments.id + "' is not a regular expression");
  std::unique_ptr<regex_t, void (*)(regex_t*)> compiled(&pattern, &regfree);
  std::vector<oci::State> states = TRY(oci::FindContainers(session.context));
  Result<> first;
  for (const oci::State& state : states) {
    if (regexec(compiled.get(), state.id.c_str(), 0, nullptr, 0) != 0) continue;
    Result<> done = act(state.id);
    if (first.ok()) first = std::move(done);
  }
  return first;
}

Result<> Kill(const Session& session, const Arguments& arguments) {
  int signal = TRY(oci::ParseSignal(arguments.signal));
  return ForEach(session, arguments, [&](const std::string& id) {
    return oci::KillContainer(session.context, id, signal, arguments.is_for_all);
  });
}

Result<> Delete(const Session& session, const Arguments& arguments) {
  return ForEach(session, arguments, [&](const std::string& id) {
    return oci::DeleteContainer(session.context, id, arguments.is_forced);
  });
}

void AddState(CLI::App* command, Session* session) {
  auto state = AddName(command);
  command->callback([=] { session->Settle(PrintState(*session, *state)); });
}

void AddList(CLI::App* command, Session* session) {
  auto list = std::make_shared<Arguments>();
  command->add_option("-f,--format", list->format, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  command->add_flag("-q,--quiet", list->is_quiet, "Names only");
  command->callback([=] { session->Settle(PrintList(*session, *list)); });
}

void AddPs(CLI::App* command, Session* session) {
  auto ps = AddName(command);
  command->add_option("-f,--format", ps->format, "table or json")
      ->check(CLI::IsMember({"table", "json"}));
  command->prefix_command();
  command->callback([=] {
    ps->extra = command->remaining();
    session->Settle(PrintProcesses(*session, *ps));
  });
}

// A number of the command line, and the member of linux.resources that it is.
struct Limit {
  const char* flag;
  const char* section;
  const char* member;
  const char* help;
};
constexpr Limit kLimits[] = {
    {"--memory", "memory", "limit", "Memory: bytes, or with a unit (50M); -1 for no limit"},
    {"--memory-swap", "memory", "swap", "Memory and swap, with --memory; or -1 for no limit"},
    {"--memory-reservation", "memory", "reservation", "Memory protected from reclaim"},
    {"--cpu-share,--cpu-shares", "cpu", "shares", "Share of the processors, 2 to 262144"},
    {"--cpu-quota", "cpu", "quota", "Microseconds a period; -1 for no limit"},
    {"--cpu-period", "cpu", "period", "The period in microseconds"},
    {"--cpu-burst", "cpu", "burst", "Microseconds saved up beyond the quota"},
    {"--cpu-idle", "cpu", "idle", "1: only when nothing else runs"},
    {"--cpu-rt-period", "cpu", "realtimePeriod", "The real-time period, with cgroup v1"},
    {"--cpu-rt-runtime", "cpu", "realtimeRuntime", "Real-time microseconds of it, with cgroup v1"},
    {"--blkio-weight", "blockIO", "weight", "Share of block devices, 10 to 1000"},
    {"--kernel-memory", "memory", "kernel", "Ignored with a warning: part of --memory"},
    {"--kernel-memory-tcp", "memory", "kernelTCP", "Ignored with a warning: part of --memory"},
    {"--pids-limit", "pids", "limit", "Number of processes; -1 for no limit"}};

// "50M", "50mb" or "50MiB" as bytes, by powers of 1024 as runc counts. What is no such size stays
// as it is, for the check of numbers to refuse.
std::string BytesOfSize(const std::string& text) {
  constexpr std::string_view kUnits = "bkmgtp";
  size_t digits = text.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos) return text;
  std::string unit = text.substr(digits);
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](unsigned char letter) { return static_cast<char>(tolower(letter)); });
  size_t power = kUnits.find(unit[0]);
  std::string_view rest = std::string_view(unit).substr(1);
  bool is_size = power != std::string_view::npos && (rest.empty() || power > 0) &&
                 (rest.empty() || rest == "b" || rest == "ib");
  std::optional<uint64_t> number =
      ParseUint(text.substr(0, digits), static_cast<uint64_t>(INT64_MAX) >> (10 * power % 64));
  if (!is_size || !number) return text;
  return std::to_string(*number << (10 * power));
}

struct UpdateArguments {
  std::string id;
  std::string file;
  std::string cpus;
  std::string mems;
  std::string cache_schema;
  std::string bandwidth_schema;
  std::array<std::optional<int64_t>, std::size(kLimits)> limits;
};

// The flags as the JSON that they stand for, so that both are checked alike.
std::string ResourcesText(const UpdateArguments& arguments) {
  std::map<std::string, std::string> sections;
  auto add = [&](const std::string& section, const std::string& member, const std::string& value) {
    std::string& text = sections[section];
    text += (text.empty() ? "\"" : ",\"") + member + "\":" + value;
  };
  for (size_t i = 0; i < std::size(kLimits); ++i) {
    if (arguments.limits[i])
      add(kLimits[i].section, kLimits[i].member, std::to_string(*arguments.limits[i]));
  }
  if (!arguments.cpus.empty()) add("cpu", "cpus", "\"" + arguments.cpus + "\"");
  if (!arguments.mems.empty()) add("cpu", "mems", "\"" + arguments.mems + "\"");
  std::string text;
  for (const auto& [section, members] : sections)
    text += (text.empty() ? "\"" : ",\"") + section + "\":{" + members + "}";
  return "{" + text + "}";
}

Result<> Update(const Session& session, const UpdateArguments& arguments) {
  for (auto [flag, schema] : {std::pair{"--l3-cache-schema", &arguments.cache_schema},
                              {"--mem-bw-schema", &arguments.bandwidth_schema}}) {
    if (!schema->empty())
      return Error(Code::kInvalid, std::string(flag) + ": Intel RDT is not supported");
  }
  std::string text = ResourcesText(arguments);
  if (arguments.file == "-") {
    text = TRY(sys::ReadAll(STDIN_FILENO, "resources"));
  } else if (!arguments.file.empty()) {
    text = TRY(sys::ReadFile(AT_FDCWD, arguments.file));
  }
  oci::Resources resources = TRY(oci::ParseResourcesFile(text));
  return oci::UpdateContainer(session.context, arguments.id, resources);
}

void AddUpdate(CLI::App* command, Session* session) {
  auto arguments = std::make_shared<UpdateArguments>();
  for (size_t i = 0; i < std::size(kLimits); ++i) {
    CLI::Option* option =
        command->add_option(kLimits[i].flag, arguments->limits[i], kLimits[i].help);
    if (kLimits[i].section == std::string_view("memory")) option->transform(BytesOfSize);
  }
  for (auto [flag, list] :
       {std::pair{"--cpuset-cpus", &arguments->cpus}, {"--cpuset-mems", &arguments->mems}}) {
    command->add_option(flag, *list, "A list such as 0-2,5")
        ->check([](const std::string& text) -> std::string {
          bool is_list = text.find_first_not_of("0123456789,-") == std::string::npos;
          return is_list ? "" : "'" + text + "' is not a list of numbers";
        });
  }
  command->add_option("--l3-cache-schema", arguments->cache_schema, "Not supported: refused");
  command->add_option("--mem-bw-schema", arguments->bandwidth_schema, "Not supported: refused");
  command->add_option("-r,--resources", arguments->file,
                      "File with linux.resources as JSON instead of flags; -: standard input");
  command->add_option("CONTAINER_ID", arguments->id, "Name of the container")->required();
  command->callback([=] { session->Settle(Update(*session, *arguments)); });
}

void AddEvents(CLI::App* command, Session* session) {
  struct EventArguments {
    std::string id;
    std::string interval = "5s";
    bool is_once = false;
  };
  auto arguments = std::make_shared<EventArguments>();
  command->add_option("--interval", arguments->interval, "Between two statistics: 5s, 100ms");
  command->add_flag("--stats", arguments->is_once, "One statistic, and no more");
  command->add_option("CONTAINER_ID", arguments->id, "Name of the container")->required();
  command->callback([=] {
    auto watch = [&]() -> Result<> {
      oci::EventOptions options;
      options.is_once = arguments->is_once;
      options.interval = TRY(oci::ParseInterval(arguments->interval));
      return oci::WatchEvents(session->context, arguments->id, options, [](std::string_view line) {
        fwrite(line.data(), 1, line.size(), stdout);
        fflush(stdout);
      });
    };
    session->Settle(watch());
  });
}

void AddStart(CLI::App* command, Session* session) {
  auto start = AddName(command);
  command->callback([=] { session->Settle(oci::StartContainer(session->context, start->id)); });
}

void AddKill(CLI::App* command, Session* session) {
  auto kill = AddName(command);
  command->add_option("SIGNAL", kill->signal, "Name or number");
  command->add_flag("-a,--all", kill->is_for_all, "To all its processes");
  command->add_flag("-r,--regex", kill->is_regex, "To all containers whose names match");
  command->callback([=] { session->Settle(Kill(*session, *kill)); });
}

void AddDelete(CLI::App* command, Session* session) {
  auto remove = AddName(command);
  command->add_flag("-f,--force", remove->is_forced, "Kill it first when it runs");
  command->add_flag("-r,--regex", remove->is_regex, "All containers whose names match");
  command->callback([=] { session->Settle(Delete(*session, *remove)); });
}

template <bool kIsFrozen>
void AddFreezer(CLI::App* command, Session* session) {
  auto freeze = AddName(command);
  command->callback(
      [=] { session->Settle(oci::FreezeContainer(session->context, freeze->id, kIsFrozen)); });
}

void AddRefused(CLI::App* command, Session* session) {
  command->allow_extras();
  command->callback([=] {
    session->Settle(Error(Code::kInvalid, command->get_name() + " is not supported by skiff-oci"));
  });
}

constexpr Command kCommands[] = {
    {"state", "Print the state of a container", AddState},
    {"list", "List containers", AddList},
    {"ps", "List the processes of a container", AddPs},
    {"start", "Start a created container", AddStart},
    {"kill", "Send a signal to a container", AddKill},
    {"delete", "Remove what is left of a container", AddDelete},
    {"pause", "Freeze all processes of a container", AddFreezer<true>},
    {"resume", "Let a paused container go on", AddFreezer<false>},
    {"update", "Change the limits of a container", AddUpdate},
    {"events", "Tell what a container uses and when its memory ran out", AddEvents},
    {"checkpoint", "Not supported", AddRefused},
    {"restore", "Not supported", AddRefused}};

}  // namespace

std::span<const Command> LifecycleCommands() { return kCommands; }

}  // namespace skiff::oci_tool
