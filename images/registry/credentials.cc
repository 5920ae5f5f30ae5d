#include "images/registry/credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "images/registry/limits.h"
#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::images::registry {
namespace {

std::string Variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

std::string DefaultFile() {
  std::string file = Variable("REGISTRY_AUTH_FILE");
  if (!file.empty()) return file;
  std::string directory = Variable("DOCKER_CONFIG");
  if (directory.empty()) {
    std::string home = Variable("HOME");
    // A service has none.
    if (home.empty() && geteuid() == 0) home = "/root";
    if (home.empty()) return "";
    directory = home + "/.docker";
  }
  return directory + "/config.json";
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

Result<std::string> ReadOutput(int fd, const std::string& name) {
  std::string output;
  int64_t end = MonotonicNanoseconds() + Nanoseconds(kHelperTimeout).count();
  for (;;) {
    auto left = std::chrono::milliseconds((end - MonotonicNanoseconds()) / 1'000'000);
    bool is_ready = false;
    if (left.count() > 0) is_ready = TRY(sys::PollReadable(fd, left));
    if (!is_ready) return Error(Code::kTimeout, name + ": it says nothing");
    char buffer[4096];
    size_t count = TRY(sys::Read(fd, buffer, sizeof(buffer)));
    if (count == 0) return output;
    output.append(buffer, count);
    if (output.size() > kMaxHelperOutput.count()) {
      return Error(Code::kExhausted, name + ": it says too much");
    }
  }
}

struct HelperRun {
  int status = 0;
  std::string output;
};

Result<HelperRun> RunHelper(const std::string& helper, const char* verb, const std::string& input) {
  std::string path = TRY(FindHelper(helper));
  std::string name = "credential helper " + path + " " + verb;
  sys::Pipe in = TRY(sys::MakePipe());
  sys::Pipe out = TRY(sys::MakePipe());
  // Short, and a pipe holds it: written before anybody reads.
  TRY(sys::WriteAll(in.write_end.get(), input, name));
  in.write_end.Reset();
  sys::SpawnSpec spec;
  spec.path = path;
  spec.arguments = {path, verb};
  for (char** entry = environ; *entry != nullptr; ++entry) spec.environment.emplace_back(*entry);
  spec.fds = {in.read_end.get(), out.write_end.get(), STDERR_FILENO};
  sys::Process process = TRY(sys::Spawn(spec).Context(name));
  out.write_end.Reset();
  HelperRun run;
  Result<std::string> output = ReadOutput(out.read_end.get(), name);
  if (!output.ok()) sys::SignalPidfd(process.pidfd.get(), SIGKILL).Ignore();
  std::optional<sys::ExitStatus> ended = TRY(sys::WaitPidfd(process.pidfd.get(), true));
  run.output = TRY(std::move(output));
  run.status = ended->ShellCode();
  return run;
}

Result<std::optional<Credential>> AskHelper(const std::string& helper, const std::string& host) {
  HelperRun run = TRY(RunHelper(helper, "get", HelperKey(host) + "\n"));
  if (run.status != 0) {
    // What every helper says for "I do not know that one".
    if (run.output.find("credentials not found") != std::string::npos) {
      return std::optional<Credential>();
    }
    return Error(Code::kDenied, "credential helper docker-credential-" + helper + ": " +
                                    std::string(TrimSpace(run.output.substr(0, kMaxErrorText))));
  }
  Credential credential =
      TRY(DecodeHelperAnswer(run.output).Context("credential helper " + helper));
  return std::optional(std::move(credential));
}

}  // namespace

CredentialStore::CredentialStore(std::string file) : file_(std::move(file)) {
  if (file_.empty()) file_ = DefaultFile();
}

Result<std::string> CredentialStore::Read() const {
  if (file_.empty()) return std::string("{}");
  Result<std::string> text = sys::ReadFile(AT_FDCWD, file_, kMaxCredentialFile);
  if (!text.ok() && text.error().sys_errno() == ENOENT) return std::string("{}");
  std::string content = TRY(std::move(text));
  return std::string(TrimSpace(content)).empty() ? std::string("{}") : content;
}

Result<std::optional<Credential>> CredentialStore::Find(const std::string& host,
                                                        const std::string& repository) {
  std::string text = TRY(Read());
  CredentialConfig config = TRY(CredentialConfig::Decode(text, file_));
  std::string helper = config.HelperFor(host);
  if (!helper.empty()) {
    std::optional<Credential> answer = TRY(AskHelper(helper, host));
    if (answer) return answer;
  }
  return config.Find(host, repository);
}

Result<> CredentialStore::Store(const std::string& host, const Credential& credential) {
  if (file_.empty()) return Error(Code::kInvalid, "there is no HOME to keep credentials in");
  std::string text = TRY(Read());
  CredentialConfig config = TRY(CredentialConfig::Decode(text, file_));
  std::string helper = config.HelperFor(host);
  if (!helper.empty()) {
    HelperRun run =
        TRY(RunHelper(helper, "store", EncodeHelperEntry(HelperKey(host), credential) + "\n"));
    if (run.status == 0) return {};
    return Error(Code::kDenied, "credential helper docker-credential-" + helper + ": " +
                                    std::string(TrimSpace(run.output.substr(0, kMaxErrorText))));
  }
  bool is_changed = false;
  std::string changed =
      TRY(CredentialConfig::WithEntry(text, file_, host, credential, &is_changed));
  std::string directory = std::filesystem::path(file_).parent_path();
  if (!directory.empty()) TRY(sys::MakeDirectories(directory, 0700));
  return sys::StoreFile(AT_FDCWD, file_, changed, 0600);
}

Result<bool> CredentialStore::Erase(const std::string& host) {
  std::string text = TRY(Read());
  CredentialConfig config = TRY(CredentialConfig::Decode(text, file_));
  std::string helper = config.HelperFor(host);
  if (!helper.empty()) {
    HelperRun run = TRY(RunHelper(helper, "erase", HelperKey(host) + "\n"));
    return run.status == 0;
  }
  bool is_changed = false;
  std::string changed =
      TRY(CredentialConfig::WithEntry(text, file_, host, std::nullopt, &is_changed));
  if (is_changed) TRY(sys::StoreFile(AT_FDCWD, file_, changed, 0600));
  return is_changed;
}

}  // namespace skiff::images::registry
