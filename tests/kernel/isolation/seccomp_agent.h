// Who answers for a container's seccomp listener in a test.
#pragma once

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "isolation/sys/file.h"
#include "isolation/sys/socket.h"

namespace skiff::isolation::oci {

// Serves one listener: tells what came with it, a JSON text, and answers every call with ENOMEDIUM.
class SeccompAgent {
 public:
  explicit SeccompAgent(const std::string& path) : socket_(sys::ListenUnix(path, 1).value()) {
    thread_ = std::thread([this] { Serve(); });
  }
  SeccompAgent(const SeccompAgent&) = delete;
  ~SeccompAgent() { thread_.join(); }
  std::string WaitForState() {
    thread_.join();
    thread_ = std::thread([] {});
    return state_;
  }

 private:
  void Serve() {
    if (!sys::PollReadable(socket_.get(), std::chrono::seconds(20)).ValueOr(false)) return;
    UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char text[8192];
    iovec data{.iov_base = text, .iov_len = sizeof(text)};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ssize_t size = recvmsg(connection.get(), &message, MSG_CMSG_CLOEXEC);
    if (size <= 0 || CMSG_FIRSTHDR(&message) == nullptr) return;
    int number = -1;
    memcpy(&number, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(number));
    UniqueFd listener(number);
    state_ = std::string(text, static_cast<size_t>(size));
    // Until nobody is left under the filter.
    while (sys::PollReadable(listener.get(), std::chrono::seconds(20)).ValueOr(false)) {
      seccomp_notif call{};
      if (ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) return;
      seccomp_notif_resp answer{.id = call.id, .val = 0, .error = -ENOMEDIUM, .flags = 0};
      ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
  }

  UniqueFd socket_;
  std::string state_;
  std::thread thread_;
};

}  // namespace skiff::isolation::oci
