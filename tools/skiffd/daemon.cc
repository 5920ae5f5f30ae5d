#include "tools/skiffd/daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>

#include "images/collect.h"
#include "images/settings.h"
#include "images/store.h"
#include "isolation/base/clock.h"
#include "isolation/base/log.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "runtime/api/ecs_not_offered.h"
#include "runtime/api/sts.h"
#include "runtime/store/sqlite_store.h"
#include "tools/skiffd/limits.h"
#include "tools/skiffd/metrics.h"
#include "tools/skiffd/systemd.h"

namespace skiff::tools {
namespace {

using networking::http::Request;
using networking::http::Server;
using runtime::api::OperationTable;

// Secrets are in it.
Result<> CheckPrivate(const std::string& path) {
  struct stat status = TRY(sys::Stat(AT_FDCWD, path));
  if ((status.st_mode & 077) == 0) return {};
  return Error(Code::kDenied, path + ": others may read it: chmod 600 " + path);
}

// Of events that are put; containers' logs lie with their tasks.
std::string EventsDirectory(const DaemonOptions& options) {
  return options.roots.data + "/log-events";
}

void LogFailure(const Result<>& result) {
  if (!result.ok()) Log(LogLevel::kWarning, result.error().message());
}

// SIGHUP as well, when the terminal it was started from goes; not under nohup.
std::vector<int> SignalsThatEnd() {
  struct sigaction hangup {};
  bool is_ignored = sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
  return is_ignored ? std::vector<int>{SIGTERM, SIGINT} : std::vector<int>{SIGTERM, SIGINT, SIGHUP};
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::Open(DaemonOptions options,
                                             std::vector<UniqueFd> inherited) {
  std::unique_ptr<Daemon> made(new Daemon(std::move(options)));
  // Before any thread: they all inherit that it is blocked.
  made->signals_ = TRY(sys::MakeSignalFd(SignalsThatEnd()));
  signal(SIGPIPE, SIG_IGN);
  TRY(made->LockDataRoot());
  const DaemonOptions& given = made->options_;
  made->store_ = TRY(runtime::OpenSqliteStore(given.is_ephemeral ? "" : given.state_directory));
  made->agent_ = TRY(runtime::Agent::Create(*made->store_, {.roots = given.roots}));
  TRY(made->MakeRouter());
  TRY(made->Listen(std::move(inherited)));
  return made;
}

Result<> Daemon::LockDataRoot() {
  const std::string& root = options_.roots.data;
  TRY(sys::MakeDirectories(root, 0755));
  lock_ = TRY(sys::Open(AT_FDCWD, root + "/skiffd.lock", O_RDWR | O_CREAT, 0600));
  // Not flock: a child between clone and exec would hold it for a daemon that was killed.
  bool is_locked = TRY(sys::TryProcessLock(lock_.get()));
  if (!is_locked) return Error(Code::kConflict, root + ": another skiffd works on it");
  return {};
}

Result<> Daemon::Listen(std::vector<UniqueFd> inherited) {
  server_ = TRY(Server::Create({}, [this](Request&& request, const Server::Respond& respond) {
    // Parsing may need many times the size of what a client sends; one that finds no memory is
    // refused, and what it had taken is free again for the others.
    try {
      respond(router_->Handle(request));
    } catch (const std::bad_alloc&) {
      Log(LogLevel::kError,
          "no memory for a request of " + std::to_string(request.body.size()) + " bytes");
      respond({500,
               {{"Content-Type", "application/x-amz-json-1.1"}},
               R"({"__type":"ServerException","message":"skiffd is out of memory"})"});
    }
  }));
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
  events_ = TRY(EventFeed::Open(*store_, options_.settings, options_.events_socket)
                    .Context("listen on " + options_.events_socket));
  return {};
}

Result<> Daemon::MakeRouter() {
  runtime::api::RouterOptions router;
  router.settings = options_.settings;
  router.is_anonymous = options_.is_anonymous;
  router.allow_reset = options_.allow_reset;
  router.reset = [this] { return Reset(); };
  router.observe = [this](const std::string& operation, int status, double seconds) {
    api_metrics_.Note(operation, status, seconds);
  };
  router.metrics = [this, started = WallNanoseconds()] {
    return MetricsOf({*store_, options_.roots, agent_->metrics(), api_metrics_, *events_, started});
  };
  if (!options_.keys_file.empty()) {
    TRY(CheckPrivate(options_.keys_file));
    std::string text = TRY(sys::ReadFile(AT_FDCWD, options_.keys_file, kMaxKeysFile));
    router.keys = TRY(runtime::api::KeySet::Decode(text, options_.keys_file));
  }
  if (!options_.is_anonymous && options_.keys_file.empty()) {
    Log(LogLevel::kWarning, "without --keys or --anonymous every call over TCP is refused; only " +
                                options_.socket + " is served");
  }
  for (const ListenAddress& address : options_.listen) router.hosts.push_back(address.address);
  tasks_ = std::make_unique<runtime::api::TaskOperations>(*store_, options_.settings);
  OperationTable ecs;
  ecs.service = "ecs";
  ecs.target_prefix = "AmazonEC2ContainerServiceV20141113";
  tasks_->AddTo(ecs);
  registry_ = std::make_unique<runtime::api::EcsRegistry>(*store_, options_.settings);
  registry_->AddTo(ecs);
  host_ = std::make_unique<runtime::api::EcsHost>(*store_, options_.settings);
  host_->AddTo(ecs);
  account_settings_ =
      std::make_unique<runtime::api::EcsAccountSettings>(*store_, options_.settings);
  account_settings_->AddTo(ecs);
  ecs.not_offered.assign(std::begin(runtime::api::kEcsNotOffered),
                         std::end(runtime::api::kEcsNotOffered));
  std::vector<OperationTable> tables;
  tables.push_back(std::move(ecs));
  tables.push_back(runtime::api::StsOperations(options_.settings));
  logs_ = std::make_unique<runtime::api::LogsService>(
      *store_, runtime::api::LogsOptions{options_.settings, EventsDirectory(options_), nullptr});
  tables.push_back(runtime::api::LogsOperations(logs_.get()));
  router_ = std::make_unique<runtime::api::Router>(std::move(router), std::move(tables));
  return {};
}

// On the server's thread, as all operations are.
Result<> Daemon::Reset() {
  TRY(agent_->Reset());
  tasks_->Forget();
  host_->Forget();
  TRY(sys::RemoveTree(AT_FDCWD, EventsDirectory(options_)));
  Log(LogLevel::kInfo, "reset: everything is empty");
  return {};
}

// The rules are read each time: a change needs no new daemon.
Result<> Daemon::CollectImages() {
  images::StoreSettings settings = TRY(images::LoadStoreSettings());
  upkeep_interval_ =
      std::min<std::chrono::milliseconds>(kRetentionInterval, settings.collect.interval);
  int64_t now = MonotonicNanoseconds();
  bool is_due = collected_ == 0 ||
                now - collected_ >= std::chrono::nanoseconds(settings.collect.interval).count();
  if (!settings.collect.is_enabled || !is_due) return {};
  collected_ = now;
  images::ImageStore store = TRY(images::ImageStore::Open(options_.roots.data));
  images::PruneReport report = TRY(images::Collect(store, settings.collect, WallNanoseconds()));
  for (const images::ImageUsage& image : report.removed) {
    std::string name = image.image.names.empty() ? "" : image.image.names[0] + " ";
    Log(LogLevel::kInfo, "image " + name + image.image.id.ToString() + ": collected");
  }
  return {};
}

// Retention needs no thread of its own: it only touches the store and files.
Result<> Daemon::WaitForSignal() {
  for (;;) {
    LogFailure(logs_->ApplyRetention().Context("log retention"));
    LogFailure(
        registry_->RemoveDeletedDefinitions(WallNanoseconds()).Context("deleted task definitions"));
    LogFailure(CollectImages());
    bool is_told = TRY(sys::PollReadable(signals_.get(), upkeep_interval_));
    if (is_told) return {};
  }
}

Result<> Daemon::Run() {
  Result<> failure;
  std::thread agent([&] {
    failure = agent_->Run();
    // Nothing reconciles any more: better to be started again.
    if (!failure.ok()) kill(getpid(), SIGTERM);
  });
  std::thread server([this] { server_->Run(); });
  std::thread events([this] { events_->Run(); });
  LogFailure(NotifySystemd("READY=1"));
  Result<> is_told = WaitForSignal();
  LogFailure(NotifySystemd("STOPPING=1"));
  Log(LogLevel::kInfo, "stopping; tasks go on");
  server_->Stop();
  server.join();
  agent_->Stop();
  agent.join();
  events_->Stop();
  events.join();
  sys::Unlink(AT_FDCWD, options_.socket).Ignore();
  sys::Unlink(AT_FDCWD, options_.events_socket).Ignore();
  if (!is_told.ok()) return std::move(is_told).error();
  return failure;
}

}  // namespace skiff::tools
