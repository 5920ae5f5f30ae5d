#include "networking/netlink_socket.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cassert>
#include <cerrno>
#include <cstring>

#include "isolation/sys/call.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

constexpr size_t Align(size_t size) { return (size + 3) & ~size_t{3}; }

const nlmsghdr* MessageAt(const char* data, size_t left) {
  if (left < sizeof(nlmsghdr)) return nullptr;
  const auto* message = reinterpret_cast<const nlmsghdr*>(data);
  bool is_whole = message->nlmsg_len >= sizeof(nlmsghdr) && message->nlmsg_len <= left;
  return is_whole ? message : nullptr;
}

void ForEachMessage(const char* data, size_t size, const NetlinkSocket::OnMessage& on_message) {
  size_t at = 0;
  while (const nlmsghdr* message = MessageAt(data + at, size - at)) {
    on_message(message);
    at += Align(message->nlmsg_len);
    if (at > size) return;
  }
}

int ErrorOf(const nlmsghdr* message) {
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(int32_t))) return EBADMSG;
  int32_t error;
  memcpy(&error, reinterpret_cast<const char*>(message) + NLMSG_HDRLEN, sizeof error);
  return -error;
}

}  // namespace

NetlinkBatch::NetlinkBatch() : buffer_(new char[kMaxNetlinkBatch]) {}

// Once the batch is full, writes land in a spill that is never sent, so that callers check once.
char* NetlinkBatch::Reserve(size_t size) {
  size_t aligned = Align(size);
  if (is_too_long_ || size_ + aligned > kMaxNetlinkBatch) {
    is_too_long_ = true;
    spill_.assign(aligned, '\0');
    return spill_.data();
  }
  char* place = buffer_.get() + size_;
  memset(place, 0, aligned);
  size_ += aligned;
  if (!offsets_.empty())
    reinterpret_cast<nlmsghdr*>(buffer_.get() + offsets_.back())->nlmsg_len =
        static_cast<uint32_t>(size_ - offsets_.back());
  return place;
}

nlmsghdr* NetlinkBatch::Begin(uint16_t type, uint16_t flags, size_t header_size, void** header) {
  offsets_.push_back(size_);
  auto* message = reinterpret_cast<nlmsghdr*>(Reserve(NLMSG_HDRLEN + header_size));
  message->nlmsg_type = type;
  bool is_dump = (flags & NLM_F_DUMP) == NLM_F_DUMP;
  message->nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST | (is_dump ? 0 : NLM_F_ACK));
  *header = reinterpret_cast<char*>(message) + NLMSG_HDRLEN;
  return message;
}

void NetlinkBatch::Put(uint16_t type, const void* data, size_t size) {
  char* place = Reserve(NLA_HDRLEN + size);
  nlattr attribute{static_cast<uint16_t>(NLA_HDRLEN + size), type};
  memcpy(place, &attribute, sizeof attribute);
  if (size > 0) memcpy(place + NLA_HDRLEN, data, size);
}

void NetlinkBatch::PutText(uint16_t type, std::string_view text) {
  std::string terminated(text);
  Put(type, terminated.c_str(), terminated.size() + 1);
}

size_t NetlinkBatch::OpenNest(uint16_t type) {
  size_t start = size_;
  Put(type, nullptr, 0);
  return start;
}

void NetlinkBatch::CloseNest(size_t start) {
  if (is_too_long_) return;
  auto* attribute = reinterpret_cast<nlattr*>(buffer_.get() + start);
  attribute->nla_len = static_cast<uint16_t>(size_ - start);
}

void* NetlinkBatch::Append(size_t size) { return Reserve(size); }

NetlinkSocket::NetlinkSocket(UniqueFd fd)
    : fd_(std::move(fd)), reply_(new char[kMaxNetlinkReply]) {}

Result<NetlinkSocket> NetlinkSocket::Open(int protocol, uint32_t multicast_groups) {
  int fd = TRY(sys::Call("socket", "netlink",
                         [&] { return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol); }));
  NetlinkSocket made((UniqueFd(fd)));
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = multicast_groups;
  TRY(sys::CallVoid("bind", "netlink",
                    [&] { return bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own); }));
  int on = 1;
  // Acks without a copy of the request. Unknown to kernels before 4.3, where they are longer.
  (void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  return made;
}

Result<> NetlinkSocket::Send(NetlinkBatch& batch) {
  if (batch.is_too_long()) return Error(Code::kInternal, "netlink request longer than the limit");
  for (size_t offset : batch.offsets())
    reinterpret_cast<nlmsghdr*>(batch.data() + offset)->nlmsg_seq = ++sequence_;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  return sys::CallVoid("sendto", "netlink", [&] {
    return sendto(fd_.get(), batch.data(), batch.bytes().size(), 0,
                  reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  });
}

Result<size_t> NetlinkSocket::Receive(bool is_blocking) {
  for (;;) {
    sockaddr_nl from{};
    socklen_t length = sizeof from;
    ssize_t size = recvfrom(fd_.get(), reply_.get(), kMaxNetlinkReply,
                            MSG_TRUNC | (is_blocking ? 0 : MSG_DONTWAIT),
                            reinterpret_cast<sockaddr*>(&from), &length);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return size_t{0};
    if (size < 0) return Error::FromErrno(errno, "recvfrom netlink");
    if (static_cast<size_t>(size) > kMaxNetlinkReply)
      return Error(Code::kInternal, "netlink reply longer than the limit");
    if (from.nl_pid == 0 && size > 0) return static_cast<size_t>(size);  // only the kernel is heard
  }
}

Result<std::vector<int>> NetlinkSocket::Transact(NetlinkBatch& batch) {
  TRY(Send(batch));
  size_t count = batch.offsets().size();
  uint32_t first = sequence_ - static_cast<uint32_t>(count) + 1;
  std::vector<int> errors(count, 0);
  for (;;) {
    size_t size = TRY(Receive(false));
    if (size == 0) return errors;
    ForEachMessage(reply_.get(), size, [&](const nlmsghdr* message) {
      uint32_t index = message->nlmsg_seq - first;
      if (message->nlmsg_type == NLMSG_ERROR && index < count && errors[index] == 0)
        errors[index] = ErrorOf(message);
    });
  }
}

Result<int> NetlinkSocket::Query(NetlinkBatch& batch, const OnMessage& on_message) {
  TRY(Send(batch));
  int error = 0;
  for (;;) {
    size_t size = TRY(Receive(false));
    if (size == 0) return error;
    ForEachMessage(reply_.get(), size, [&](const nlmsghdr* message) {
      if (message->nlmsg_seq != sequence_) return;
      if (message->nlmsg_type == NLMSG_ERROR) error = ErrorOf(message);
      if (message->nlmsg_type >= NLMSG_MIN_TYPE) on_message(message);
    });
  }
}

Result<int> NetlinkSocket::Dump(NetlinkBatch& batch, const OnMessage& on_message) {
  TRY(Send(batch));
  bool is_done = false;
  bool is_interrupted = false;
  int error = 0;
  while (!is_done) {
    size_t size = TRY(Receive(true));
    ForEachMessage(reply_.get(), size, [&](const nlmsghdr* message) {
      if (message->nlmsg_seq != sequence_) return;
      if (message->nlmsg_flags & NLM_F_DUMP_INTR) is_interrupted = true;
      if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
        is_done = true;
        error = ErrorOf(message);
      } else if (message->nlmsg_type >= NLMSG_MIN_TYPE) {
        on_message(message);
      }
    });
  }
  return is_interrupted && error == 0 ? EINTR : error;
}

Result<bool> NetlinkSocket::Drain(const OnMessage& on_message) {
  for (;;) {
    Result<size_t> size = Receive(false);
    if (!size.ok() && size.error().sys_errno() == ENOBUFS) return true;
    if (!size.ok()) return std::move(size).error();
    if (size.value() == 0) return false;
    ForEachMessage(reply_.get(), size.value(), on_message);
  }
}

NetlinkAttributes NetlinkAttributes::Of(const nlmsghdr* message, size_t header_size) {
  size_t skip = NLMSG_HDRLEN + Align(header_size);
  if (message->nlmsg_len < skip) return {message, 0};
  return {reinterpret_cast<const char*>(message) + skip, message->nlmsg_len - skip};
}

std::vector<std::string_view> NetlinkAttributes::FindAll(uint16_t type) const {
  std::vector<std::string_view> found;
  size_t at = 0;
  while (at + NLA_HDRLEN <= size_) {
    nlattr attribute;
    memcpy(&attribute, start_ + at, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || at + attribute.nla_len > size_) break;
    if ((attribute.nla_type & NLA_TYPE_MASK) == type)
      found.emplace_back(start_ + at + NLA_HDRLEN, attribute.nla_len - NLA_HDRLEN);
    at += Align(attribute.nla_len);
  }
  return found;
}

std::string_view NetlinkAttributes::Find(uint16_t type) const {
  std::vector<std::string_view> all = FindAll(type);
  return all.empty() ? std::string_view() : all.front();
}

NetlinkAttributes NetlinkAttributes::Nested(uint16_t type) const {
  std::string_view payload = Find(type);
  return {payload.data(), payload.size()};
}

std::string NetlinkAttributes::Text(uint16_t type) const {
  std::string_view payload = Find(type);
  return std::string(payload.substr(0, payload.find('\0')));
}

uint32_t NetlinkAttributes::U32(uint16_t type, uint32_t fallback) const {
  std::string_view payload = Find(type);
  if (payload.size() != sizeof(uint32_t)) return fallback;
  uint32_t value;
  memcpy(&value, payload.data(), sizeof value);
  return value;
}

}  // namespace skiff::networking
