#include "isolation/oci/notify.h"

#include <fcntl.h>
#include <poll.h>

#include <cstdlib>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "isolation/sys/socket.h"

namespace skiff::isolation::oci {

std::string NotifySocket() {
  const char* path = getenv("NOTIFY_SOCKET");
  return path != nullptr && path[0] == '/' ? path : "";
}

Result<NotifyRelay> NotifyRelay::Create(const std::string& directory, const std::string& manager) {
  NotifyRelay relay;
  relay.directory_ = directory;
  relay.manager_ = manager;
  TRY(sys::MakeDirectories(directory, 0755));
  relay.socket_ = TRY(sys::ListenDatagrams(directory + "/notify").Context("NOTIFY_SOCKET"));
  return relay;
}

void NotifyRelay::AddTo(ContainerSpec* spec) const {
  MountSpec bind;
  bind.kind = MountSpec::Kind::kBind;
  bind.source = directory_;
  bind.target = manager_;
  spec->mounts.push_back(std::move(bind));
  std::erase_if(spec->environment,
                [](const std::string& entry) { return entry.rfind("NOTIFY_SOCKET=", 0) == 0; });
  spec->environment.push_back("NOTIFY_SOCKET=" + manager_ + "/notify");
}

Result<bool> NotifyRelay::PassOn(pid_t pid) const {
  char text[4096];
  size_t size = TRY(sys::Read(socket_.get(), text, sizeof(text)));
  bool is_ready = false;
  for (std::string_view line : Split(std::string_view(text, size), '\n'))
    is_ready = is_ready || line == "READY=1";
  if (!is_ready) return false;
  TRY(sys::SendDatagram(manager_, "READY=1").Context("NOTIFY_SOCKET"));
  TRY(sys::SendDatagram(manager_, "MAINPID=" + std::to_string(pid)).Context("NOTIFY_SOCKET"));
  return true;
}

Result<> NotifyRelay::Await(int pidfd, pid_t pid) const {
  for (;;) {
    pollfd watched[] = {{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                        {.fd = pidfd, .events = POLLIN, .revents = 0}};
    if (poll(watched, 2, -1) < 0 && errno != EINTR) return Error::FromErrno(errno, "poll");
    if ((watched[0].revents & POLLIN) != 0) {
      bool is_ready = TRY(PassOn(pid));
      if (is_ready) return {};
    } else if ((watched[1].revents & POLLIN) != 0) {
      return {};
    }
  }
}

}  // namespace skiff::isolation::oci
