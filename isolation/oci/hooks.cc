#include "isolation/oci/hooks.h"

#include <unistd.h>

#include <cctype>
#include <chrono>
#include <climits>
#include <cstring>

#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::isolation::oci {
namespace {

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  return environment;
}

Error Killed(int signal) {
  std::string words = strsignal(signal);
  words[0] = static_cast<char>(tolower(words[0]));
  return Error(Code::kInternal, "killed by signal " + std::to_string(signal) + ", " + words);
}

Result<> RunHook(const Hook& hook, const std::string& state, const HookPlace& place) {
  UniqueFd input = TRY(sys::MakeMemoryFile(state));
  sys::SpawnSpec spec;
  spec.path = hook.path;
  spec.arguments = hook.arguments;
  spec.environment = hook.has_environment ? hook.environment : OwnEnvironment();
  spec.fds = {input.get(), STDOUT_FILENO, STDERR_FILENO};
  spec.namespaces = place.pidfd;
  spec.namespace_types = place.namespace_types;
  spec.directory = place.directory;
  if (place.seccomp != nullptr) {
    spec.filter = place.seccomp->data();
    spec.filter_size = static_cast<uint16_t>(place.seccomp->size());
  }
  sys::Process process = TRY(sys::Spawn(spec));
  std::chrono::milliseconds timeout(-1);
  if (hook.timeout_seconds) timeout = std::chrono::seconds(*hook.timeout_seconds);
  Result<bool> has_ended = sys::PollReadable(process.pidfd.get(), timeout);
  bool is_late = has_ended.ok() && !has_ended.value();
  if (is_late || !has_ended.ok()) sys::SignalPidfd(process.pidfd.get(), SIGKILL).Ignore();
  std::optional<sys::ExitStatus> status = TRY(sys::WaitPidfd(process.pidfd.get(), true));
  TRY(std::move(has_ended));
  if (is_late) {
    return Error(Code::kTimeout, "took longer than its timeout of " +
                                     std::to_string(*hook.timeout_seconds) + " s and was killed");
  }
  if (status->signal != 0) return Killed(status->signal);
  if (status->exit_code != 0)
    return Error(Code::kInternal, "exit status " + std::to_string(status->exit_code));
  return {};
}

std::string PlaceInList(const std::vector<Hook>& hooks, const std::string& name, size_t i) {
  return "error running hook " + name + "[" + std::to_string(i) + "] " + hooks[i].path;
}

}  // namespace

Result<> RunHooks(const std::vector<Hook>& hooks, const std::string& name, const std::string& state,
                  const HookPlace& place) {
  for (size_t i = 0; i < hooks.size(); ++i)
    TRY(RunHook(hooks[i], state, place).Context(PlaceInList(hooks, name, i)));
  return {};
}

std::vector<Error> RunEveryHook(const std::vector<Hook>& hooks, const std::string& name,
                                const std::string& state) {
  std::vector<Error> errors;
  for (size_t i = 0; i < hooks.size(); ++i) {
    Result<> run = RunHook(hooks[i], state, {}).Context(PlaceInList(hooks, name, i));
    if (!run.ok()) errors.push_back(run.error());
  }
  return errors;
}

}  // namespace skiff::isolation::oci
