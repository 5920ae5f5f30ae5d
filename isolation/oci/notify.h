// sd_notify(3) for a container: a socket of its own in place of the service manager's, from which
// only the word that it is ready is passed on. One thread.
#pragma once

#include <sys/types.h>

#include <string>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/container_spec.h"

namespace skiff::isolation::oci {

// NOTIFY_SOCKET of this process, "" when there is none or it is no path.
std::string NotifySocket();

class NotifyRelay {
 public:
  // Listens at `directory`/notify, which is made.
  static Result<NotifyRelay> Create(const std::string& directory, const std::string& manager);
  // The directory is bound at the manager's path in the container, whose NOTIFY_SOCKET is inside.
  void AddTo(ContainerSpec* spec) const;

  int fd() const { return socket_.get(); }
  // Takes one message: true when it said READY=1, which has been passed on with the process's
  // number.
  Result<bool> PassOn(pid_t pid) const;
  // Until it is ready, or has ended.
  Result<> Await(int pidfd, pid_t pid) const;

 private:
  std::string directory_;
  std::string manager_;
  UniqueFd socket_;
};

}  // namespace skiff::isolation::oci
