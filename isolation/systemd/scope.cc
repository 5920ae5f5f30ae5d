#include "isolation/systemd/scope.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"

namespace skiff::isolation {
namespace {

// Longer than the program itself waits for a job.
constexpr std::chrono::seconds kAnswerTimeout{90};
constexpr size_t kMaxAnswer = 4096;

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

void End(const sys::Process& process) {
  sys::SignalPidfd(process.pidfd.get(), SIGKILL).Ignore();
  [[maybe_unused]] auto reaped = sys::WaitPidfd(process.pidfd.get(), true);
}

// One line, "ok WORDS" or "error WORDS". Anything else is of the dynamic linker: no libsystemd.
Result<std::string> ReadAnswer(int output) {
  std::string text;
  while (text.find('\n') == std::string::npos && text.size() < kMaxAnswer) {
    bool is_there = TRY(sys::PollReadable(output, kAnswerTimeout));
    if (!is_there) return Error(Code::kTimeout, "no answer in 90 s");
    char piece[512];
    size_t size = TRY(sys::Read(output, piece, sizeof(piece)));
    if (size == 0) break;
    text.append(piece, size);
  }
  std::string_view line = TrimSpace(text);
  if (line.rfind("ok", 0) == 0) return std::string(TrimSpace(line.substr(2)));
  constexpr std::string_view kError = "error ";
  if (line.rfind(kError, 0) == 0) line.remove_prefix(kError.size());
  return Error(Code::kUnavailable, line.empty() ? "no answer" : std::string(line));
}

struct Asked {
  sys::Process process;
  UniqueFd input;
  std::string answer;
};

// The program has answered and, unless it was asked to stay, ends.
Result<Asked> AskProgram(const SystemdBus& bus, std::vector<std::string> words) {
  sys::Pipe input = TRY(sys::MakePipe());
  sys::Pipe output = TRY(sys::MakePipe());
  sys::SpawnSpec spec;
  spec.path = bus.program;
  spec.arguments = {"skiff-oci-systemd"};
  if (bus.is_user) spec.arguments.emplace_back("--user");
  spec.arguments.insert(spec.arguments.end(), words.begin(), words.end());
  spec.environment = OwnEnvironment();
  spec.fds = {input.read_end.get(), output.write_end.get(), output.write_end.get()};
  Asked asked;
  asked.process = TRY(sys::Spawn(spec).Context(bus.program));
  asked.input = std::move(input.write_end);
  output.write_end.Reset();
  Result<std::string> answer = ReadAnswer(output.read_end.get());
  if (!answer.ok()) {
    End(asked.process);
    return std::move(answer).error();
  }
  asked.answer = std::move(answer).value();
  return asked;
}

Result<Asked> Ask(const SystemdBus& bus, std::vector<std::string> words) {
  return AskProgram(bus, std::move(words)).Context("cgroup manager systemd");
}

Result<> Tell(const SystemdBus& bus, std::vector<std::string> words) {
  Asked asked = TRY(Ask(bus, std::move(words)));
  End(asked.process);
  return {};
}

std::vector<std::string> Words(const std::string& command, const std::string& unit,
                               const std::vector<UnitProperty>& properties) {
  std::vector<std::string> words = {command, unit};
  for (const UnitProperty& property : properties) AppendWords(property, &words);
  return words;
}

}  // namespace

Result<SystemdScope> SystemdScope::Start(const SystemdBus& bus, const std::string& unit,
                                         const std::vector<UnitProperty>& properties) {
  // sd_booted(3)
  if (!sys::Exists(AT_FDCWD, "/run/systemd/system")) {
    return Error(Code::kUnavailable,
                 "cgroup manager systemd: this host does not run systemd (no /run/systemd/system): "
                 "use cgroupfs");
  }
  Asked asked = TRY(Ask(bus, Words("start", unit, properties)));
  SystemdScope scope;
  scope.group_ = asked.answer.substr(std::min<size_t>(1, asked.answer.size()));  // no slash first
  scope.holder_ = std::move(asked.process);
  scope.input_ = std::move(asked.input);
  return scope;
}

void SystemdScope::Release() {
  if (!holder_.pidfd.valid()) return;
  End(holder_);
  holder_.pidfd.Reset();
  input_.Reset();
}

Result<> SetScopeProperties(const SystemdBus& bus, const std::string& unit,
                            const std::vector<UnitProperty>& properties) {
  if (properties.empty()) return {};
  return Tell(bus, Words("set", unit, properties));
}

Result<> AttachToScope(const SystemdBus& bus, const std::string& unit, pid_t pid) {
  return Tell(bus, {"attach", unit, std::to_string(pid)});
}

Result<> StopScope(const SystemdBus& bus, const std::string& unit) {
  return Tell(bus, {"stop", unit});
}

}  // namespace skiff::isolation
