#include "images/registry/credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "images/registry/limits.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::images::registry {
namespace {

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> DefaultFiles() {
  std::string file = Variable("REGISTRY_AUTH_FILE");
  if (!file.empty()) return {file};
  std::vector<std::string> files;
  std::string home = Variable("HOME");
  // A service has none.
  if (home.empty() && geteuid() == 0) home = "/root";
  std::string docker = Variable("DOCKER_CONFIG");
  if (docker.empty() && !home.empty()) docker = home + "/.docker";
  if (!docker.empty()) files.push_back(docker + "/config.json");
  std::string runtime = Variable("XDG_RUNTIME_DIR");
  files.push_back(runtime.empty() ? "/run/containers/" + std::to_string(geteuid()) + "/auth.json"
                                  : runtime + "/containers/auth.json");
  std::string configuration = Variable("XDG_CONFIG_HOME");
  if (configuration.empty() && !home.empty()) configuration = home + "/.config";
  if (!configuration.empty()) files.push_back(configuration + "/containers/auth.json");
  return files;
}

// Docker's own name for its registry.
std::string HelperKey(const std::string& host) {
  return host == "docker.io" ? "https://index.docker.io/v1/" : host;
}

Result<std::string> FindHelper(const std::string& name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
  std::string program = "docker-credential-" + name;
  if (name.find_first_not_of(kAllowed) != std::string::npos) {
    return Error(Code::kInvalid, "credential helper '" + name + "' is not a proper name");
  }
  std::string path = Variable("PATH");
  for (std::string_view directory : Split(path, ':')) {
    std::string candidate = std::string(directory) + "/" + program;
    if (directory.starts_with('/') && access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return Error(Code::kNotFound, "credential helper " + program + ": no such program in PATH");
}

using Clock = std::chrono::steady_clock;

Error SaysNothing(const std::string& name, std::chrono::seconds time) {
  return Error(Code::kTimeout, name + ": no answer within " + std::to_string(time.count()) + " s");
}

// False: not in time.
Result<bool> AwaitReadable(int fd, Clock::time_point end) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
  if (left.count() <= 0) return false;
  return sys::PollReadable(fd, left);
}

struct HelperRun {
  int status = 0;
  std::string output;
};

// One answer of one helper. Its process does not outlive this.
class AskedProgram {
 public:
  AskedProgram(std::string path, const char* verb, std::chrono::seconds time)
      : path_(std::move(path)),
        verb_(verb),
        name_("credential helper " + path_ + " " + verb),
        time_(time),
        end_(Clock::now() + time) {}
  ~AskedProgram() {
    if (!process_.pidfd.valid()) return;
    sys::SignalPidfd(process_.pidfd.get(), SIGKILL).Ignore();
    sys::WaitPidfd(process_.pidfd.get(), true).ValueOr(std::nullopt);
  }

  Result<HelperRun> Run(const std::string& input) {
    TRY(Start(input));
    HelperRun run;
    run.output = TRY(ReadOutput());
    // It may have closed its output and go on.
    bool has_ended = TRY(AwaitReadable(process_.pidfd.get(), end_));
    if (!has_ended) return SaysNothing(name_, time_);
    std::optional<sys::ExitStatus> ended = TRY(sys::WaitPidfd(process_.pidfd.get(), true));
    process_.pidfd.Reset();
    run.status = ended->ShellCode();
    return run;
  }

 private:
  Result<> Start(const std::string& input) {
    // A pipe holds it: written before anybody reads.
    if (input.size() > kMaxHelperInput.count()) {
      return Error(Code::kInvalid, name_ + ": more than it can be told");
    }
    sys::Pipe in = TRY(sys::MakePipe());
    sys::Pipe out = TRY(sys::MakePipe());
    TRY(sys::WriteAll(in.write_end.get(), input, name_));
    sys::SpawnSpec spec;
    spec.path = path_;
    spec.arguments = {path_, verb_};
    for (char** entry = environ; *entry != nullptr; ++entry) spec.environment.emplace_back(*entry);
    spec.fds = {in.read_end.get(), out.write_end.get(), STDERR_FILENO};
    process_ = TRY(sys::Spawn(spec).Context(name_));
    output_ = std::move(out.read_end);
    return {};
  }

  Result<std::string> ReadOutput() {
    std::string output;
    for (;;) {
      bool is_ready = TRY(AwaitReadable(output_.get(), end_));
      if (!is_ready) return SaysNothing(name_, time_);
      char buffer[4096];
      size_t count = TRY(sys::Read(output_.get(), buffer, sizeof(buffer)));
      if (count == 0) return output;
      output.append(buffer, count);
      if (output.size() > kMaxHelperOutput.count()) {
        return Error(Code::kExhausted, name_ + ": it says too much");
      }
    }
  }

  const std::string path_;
  const char* verb_;
  const std::string name_;
  const std::chrono::seconds time_;
  const Clock::time_point end_;
  sys::Process process_;
  UniqueFd output_;
};

Result<HelperRun> RunHelper(const std::string& helper, const char* verb, const std::string& input,
                            std::chrono::seconds time) {
  std::string path = TRY(FindHelper(helper));
  return AskedProgram(path, verb, time).Run(input);
}

// What it said went wrong, in one line.
Error HelperError(const std::string& helper, const HelperRun& run) {
  std::string words(TrimSpace(run.output.substr(0, kMaxErrorText)));
  std::replace(words.begin(), words.end(), '\n', ' ');
  if (words.empty()) words = "ended with status " + std::to_string(run.status);
  return Error(Code::kDenied, "credential helper docker-credential-" + helper + ": " + words);
}

Result<std::optional<Credential>> AskHelper(const std::string& helper, const std::string& host,
                                            std::chrono::seconds time) {
  HelperRun run = TRY(RunHelper(helper, "get", HelperKey(host) + "\n", time));
  if (run.status != 0) {
    // What every helper says for "I do not know that one".
    if (run.output.find("credentials not found") != std::string::npos) {
      return std::optional<Credential>();
    }
    return HelperError(helper, run);
  }
  Credential credential =
      TRY(DecodeHelperAnswer(run.output).Context("credential helper docker-credential-" + helper));
  return std::optional(std::move(credential));
}

Result<std::string> ReadConfig(const std::string& file) {
  Result<std::string> text = sys::ReadFile(AT_FDCWD, file, kMaxCredentialFile);
  bool is_absent =
      !text.ok() && (text.error().sys_errno() == ENOENT || text.error().sys_errno() == ENOTDIR);
  if (is_absent) return std::string("{}");
  std::string content = TRY(std::move(text));
  return std::string(TrimSpace(content)).empty() ? std::string("{}") : content;
}

}  // namespace

CredentialStore::CredentialStore(std::string file, std::chrono::seconds helper_time)
    : helper_time_(helper_time) {
  files_ = file.empty() ? DefaultFiles() : std::vector<std::string>{std::move(file)};
}

Result<std::optional<Credential>> CredentialStore::Find(const std::string& host,
                                                        const std::string& repository) {
  for (const std::string& file : files_) {
    std::string text = TRY(ReadConfig(file));
    CredentialConfig config = TRY(CredentialConfig::Decode(text, file));
    std::string helper = config.HelperFor(host);
    if (!helper.empty()) {
      std::optional<Credential> answer = TRY(AskHelper(helper, host, helper_time_).Context(file));
      if (answer) return answer;
    }
    std::optional<Credential> known = config.Find(host, repository);
    if (known) return known;
  }
  return std::optional<Credential>();
}

Result<> CredentialStore::Store(const std::string& host, const Credential& credential) {
  if (files_.empty()) return Error(Code::kInvalid, "there is no HOME to keep credentials in");
  const std::string& file = files_.front();
  std::string text = TRY(ReadConfig(file));
  CredentialConfig config = TRY(CredentialConfig::Decode(text, file));
  std::string helper = config.HelperFor(host);
  if (!helper.empty()) {
    std::string entry = EncodeHelperEntry(HelperKey(host), credential) + "\n";
    HelperRun run = TRY(RunHelper(helper, "store", entry, helper_time_).Context(file));
    return run.status == 0 ? Result<>() : Result<>(HelperError(helper, run).Context(file));
  }
  bool is_changed = false;
  std::string changed = TRY(CredentialConfig::WithEntry(text, file, host, credential, &is_changed));
  std::string directory = std::filesystem::path(file).parent_path();
  if (!directory.empty()) TRY(sys::MakeDirectories(directory, 0700));
  return sys::StoreFile(AT_FDCWD, file, changed, 0600);
}

Result<bool> CredentialStore::Erase(const std::string& host) {
  bool is_erased = false;
  for (const std::string& file : files_) {
    std::string text = TRY(ReadConfig(file));
    CredentialConfig config = TRY(CredentialConfig::Decode(text, file));
    std::string helper = config.HelperFor(host);
    if (!helper.empty()) {
      HelperRun run =
          TRY(RunHelper(helper, "erase", HelperKey(host) + "\n", helper_time_).Context(file));
      is_erased |= run.status == 0;
      continue;
    }
    bool is_changed = false;
    std::string changed =
        TRY(CredentialConfig::WithEntry(text, file, host, std::nullopt, &is_changed));
    if (is_changed) TRY(sys::StoreFile(AT_FDCWD, file, changed, 0600));
    is_erased |= is_changed;
  }
  return is_erased;
}

}  // namespace skiff::images::registry
