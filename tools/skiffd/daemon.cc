#include "tools/skiffd/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "isolation/base/log.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "runtime/store/sqlite_store.h"
#include "tools/skiffd/limits.h"
#include "tools/skiffd/systemd.h"

namespace skiff::tools {
namespace {

using networking::http::Request;
using networking::http::Response;
using networking::http::Server;

constexpr const char* kHealthPath = "/healthz";
constexpr const char* kResetPath = "/_skiff/reset";

Response Plain(int status, const std::string& text) {
  return {status, {{"Content-Type", "text/plain"}}, text + "\n"};
}

int StatusOf(const Error& error) { return error.code() == Code::kConflict ? 409 : 500; }

void LogFailure(const Result<>& result) {
  if (!result.ok()) Log(LogLevel::kWarning, result.error().message());
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::Open(DaemonOptions options,
                                             std::vector<UniqueFd> inherited) {
  std::unique_ptr<Daemon> made(new Daemon(std::move(options)));
  // Before any thread: they all inherit that it is blocked.
  made->signals_ = TRY(sys::MakeSignalFd({SIGTERM, SIGINT}));
  signal(SIGPIPE, SIG_IGN);
  if (!made->options_.keys_file.empty()) {
    return Error(Code::kUnavailable, "--keys: signatures are not checked yet");
  }
  TRY(made->LockDataRoot());
  const DaemonOptions& given = made->options_;
  made->store_ = TRY(runtime::OpenSqliteStore(given.is_ephemeral ? "" : given.state_directory));
  made->agent_ = TRY(runtime::Agent::Create(*made->store_, {.roots = given.roots}));
  TRY(made->Listen(std::move(inherited)));
  return made;
}

Result<> Daemon::LockDataRoot() {
  const std::string& root = options_.roots.data;
  TRY(sys::MakeDirectories(root, 0755));
  lock_ = TRY(sys::Open(AT_FDCWD, root + "/skiffd.lock", O_RDWR | O_CREAT, 0600));
  bool is_locked = TRY(sys::TryLock(lock_.get(), sys::LockMode::kExclusive));
  if (!is_locked) return Error(Code::kConflict, root + ": another skiffd works on it");
  return {};
}

Result<> Daemon::Listen(std::vector<UniqueFd> inherited) {
  server_ = TRY(Server::Create(
      {}, [this](Request&& request, const Server::Respond& respond) { respond(Answer(request)); }));
  bool use_default = options_.listen.empty() && inherited.empty();
  if (use_default) options_.listen.push_back({"127.0.0.1", kDefaultApiPort});
  for (UniqueFd& socket : inherited) TRY(server_->ListenOn(std::move(socket)));
  for (ListenAddress& address : options_.listen) {
    address.port = TRY(
        server_->ListenTcp(address.address, address.port).Context("listen on " + address.text()));
    Log(LogLevel::kInfo, "listening on " + address.text());
  }
  TRY(sys::MakeDirectories(options_.roots.run, 0755));
  TRY(server_->ListenUnix(options_.socket, kApiSocketMode).Context("listen on " + options_.socket));
  Log(LogLevel::kInfo, "listening on " + options_.socket);
  return {};
}

Response Daemon::Answer(const Request& request) {
  // A socket that was inherited may be anywhere.
  bool is_stranger = options_.is_anonymous && !request.peer.is_loopback;
  if (is_stranger) return Plain(403, "without signatures only this host is served");
  if (request.Path() == kHealthPath) return Plain(200, "ok");
  if (request.Path() == kResetPath) return AnswerReset(request);
  return Plain(404, "no such path");
}

// For test suites on this host; a browser's page is none.
Response Daemon::AnswerReset(const Request& request) {
  if (!options_.allow_reset) return Plain(403, "reset is off; start skiffd with --allow-reset");
  if (request.method != "POST") return Plain(405, "reset is a POST");
  bool is_foreign = !request.peer.is_loopback || request.Find("Origin") != nullptr;
  if (is_foreign) return Plain(403, "reset is for programs on this host");
  Result<> done = agent_->Reset();
  if (!done.ok()) return Plain(StatusOf(done.error()), done.error().message());
  Log(LogLevel::kInfo, "reset: everything is empty");
  return Plain(200, "reset");
}

Result<> Daemon::Run() {
  Result<> failure;
  std::thread agent([&] {
    failure = agent_->Run();
    // Nothing reconciles any more: better to be started again.
    if (!failure.ok()) kill(getpid(), SIGTERM);
  });
  std::thread server([this] { server_->Run(); });
  LogFailure(NotifySystemd("READY=1"));
  Result<bool> is_told = sys::PollReadable(signals_.get(), std::chrono::milliseconds(-1));
  LogFailure(NotifySystemd("STOPPING=1"));
  Log(LogLevel::kInfo, "stopping; tasks go on");
  server_->Stop();
  server.join();
  agent_->Stop();
  agent.join();
  sys::Unlink(AT_FDCWD, options_.socket).Ignore();
  if (!is_told.ok()) return std::move(is_told).error();
  return failure;
}

}  // namespace skiff::tools
