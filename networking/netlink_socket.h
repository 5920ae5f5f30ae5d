// A netlink socket and a batch of requests on it: what rtnetlink (netlink.h) and nftables
// (nftables.h) share. The kernel carries requests out inside send(2), so that every answer waits in
// the socket when it returns. Private to networking; one owner, one thread; the socket stays in the
// network namespace it was opened in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

struct nlmsghdr;

namespace skiff::networking {

// Requests laid one after the other in a buffer of kMaxNetlinkBatch bytes.
class NetlinkBatch {
 public:
  NetlinkBatch();
  // Starts a request; `flags` gets NLM_F_REQUEST, and NLM_F_ACK unless it is a dump. The header
  // that follows nlmsghdr has `header_size` zeroed bytes; its address is returned in `header`.
  nlmsghdr* Begin(uint16_t type, uint16_t flags, size_t header_size, void** header);
  void Put(uint16_t type, const void* data, size_t size);
  void PutText(uint16_t type, std::string_view text);  // with the terminating zero
  void PutU8(uint16_t type, uint8_t value) { Put(type, &value, sizeof value); }
  void PutU32(uint16_t type, uint32_t value) { Put(type, &value, sizeof value); }
  // Nested attributes, closed by End with what OpenNest answered.
  size_t OpenNest(uint16_t type);
  void CloseNest(size_t start);
  // A raw structure between attributes (the header of a veth's peer).
  void* Append(size_t size);

  bool is_too_long() const { return is_too_long_; }
  std::string_view bytes() const { return {buffer_.get(), size_}; }
  const std::vector<size_t>& offsets() const { return offsets_; }  // where each request begins
  char* data() { return buffer_.get(); }

 private:
  char* Reserve(size_t size);
  std::unique_ptr<char[]> buffer_;
  size_t size_ = 0;
  bool is_too_long_ = false;
  std::vector<size_t> offsets_;
  std::string spill_;  // where writes go once the batch is too long
};

class NetlinkSocket {
 public:
  // protocol: NETLINK_ROUTE, NETLINK_NETFILTER.
  static Result<NetlinkSocket> Open(int protocol, uint32_t multicast_groups = 0);

  // The errno of each request in order, 0 for those that were carried out.
  Result<std::vector<int>> Transact(NetlinkBatch& batch);
  using OnMessage = std::function<void(const nlmsghdr*)>;
  // One request that is answered by messages: each is handed over, then the errno of the ack.
  Result<int> Query(NetlinkBatch& batch, const OnMessage& on_message);
  // As Query for a dump. A dump the kernel marks as interrupted is an error EINTR: read it again.
  Result<int> Dump(NetlinkBatch& batch, const OnMessage& on_message);
  // What multicast groups brought, without waiting. ENOBUFS (messages were lost) is answered true.
  Result<bool> Drain(const OnMessage& on_message);
  int fd() const { return fd_.get(); }

 private:
  explicit NetlinkSocket(UniqueFd fd);
  Result<> Send(NetlinkBatch& batch);
  // 0: nothing there (only when not blocking).
  Result<size_t> Receive(bool is_blocking);
  UniqueFd fd_;
  std::unique_ptr<char[]> reply_;
  uint32_t sequence_ = 0;
};

// Attributes of a received message.
class NetlinkAttributes {
 public:
  NetlinkAttributes(const void* start, size_t size)
      : start_(static_cast<const char*>(start)), size_(size) {}
  static NetlinkAttributes Of(const nlmsghdr* message, size_t header_size);
  // The payload of the first attribute of this type; empty view with null data when absent.
  std::string_view Find(uint16_t type) const;
  std::vector<std::string_view> FindAll(uint16_t type) const;
  NetlinkAttributes Nested(uint16_t type) const;
  std::string Text(uint16_t type) const;  // up to the zero
  uint32_t U32(uint16_t type, uint32_t fallback = 0) const;

 private:
  const char* start_;
  size_t size_;
};

}  // namespace skiff::networking
