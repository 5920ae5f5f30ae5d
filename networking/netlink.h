// Links, addresses and routes of one network namespace: the one typed seam to rtnetlink.
//
// A Netlink acts in the namespace it was opened in, wherever its thread goes later. Each operation
// is one failpoint, "netlink.<operation>". Errors name the operation and the link. One owner, one
// thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "isolation/base/result.h"
#include "networking/address.h"
#include "networking/netlink_socket.h"

namespace skiff::networking {

struct Link {
  int index = 0;
  std::string name;
  std::string kind;      // "bridge", "veth", ...; empty for hardware
  int master_index = 0;  // the bridge it is a port of, or 0
  bool is_up = false;
};

struct BridgeSpec {
  std::string name;
  MacAddress mac;  // fixed, or it would change with the ports
  uint32_t mtu;
};

// A pair whose peer is made inside another namespace under its final name (down: ConfigureEnd
// brings it up); the near end is brought up as a port of a bridge and speaks no IPv6.
struct VethSpec {
  std::string name;
  MacAddress mac;
  int master_index;
  std::string peer_name;
  MacAddress peer_mac;
  int peer_netns;  // borrowed
  uint32_t mtu;
  bool is_hairpin;  // the bridge may send a frame back to the port it came from
};

struct InterfaceAddress {
  int link_index = 0;
  Ipv4Address address;
  int prefix_length = 0;
};

// An address of a link, IPv4 or IPv6, as the kernel told it: to be given to a link as it was.
struct LinkAddress {
  uint8_t family = 0;  // AF_INET, AF_INET6
  uint8_t prefix_length = 0;
  uint8_t scope = 0;
  uint32_t flags = 0;                                        // IFA_F_*
  std::string label;                                         // IPv4's; "": none
  std::vector<std::pair<uint16_t, std::string>> attributes;  // IFA_* and the rest of what it is
  // Neither of limited lifetime nor of use on the link alone.
  bool IsLasting() const;
};

struct Route {
  Ipv4Prefix destination;
  int link_index = 0;  // 0 for routes over several links
  uint32_t table = 0;
};

class Netlink {
 public:
  static Result<Netlink> Open();

  Result<std::optional<Link>> FindLink(const std::string& name);
  Result<std::vector<Link>> ListLinks();
  Result<> CreateBridge(const BridgeSpec& spec);  // an existing link of that name: kConflict
  Result<> CreateVeth(const VethSpec& spec);
  // A plain pair in two namespaces, both ends down: for wiring simulated machines together.
  Result<> CreatePlainVeth(const std::string& name, const std::string& peer_name, int peer_netns);
  Result<> SetUp(const std::string& name);
  Result<> DeleteLink(const std::string& name);  // absent is fine

  // The same address on the same link again is fine.
  Result<> AddAddress(int link_index, Ipv4Address address, int prefix_length);
  Result<std::vector<InterfaceAddress>> ListAddresses();
  Result<> AddDefaultRoute(int link_index, Ipv4Address gateway);  // the same again is fine
  Result<std::vector<Route>> ListRoutes();                        // of every table, IPv4

  Result<std::vector<LinkAddress>> ListAddressesOf(int link_index);

  // Moves a link into the namespace `netns` (borrowed), where it has this name, which may hold %d
  // for a number of the kernel's choice, and this index; it is down there and has no address. An
  // error in its renaming leaves it there.
  struct Destination {
    int netns;
    std::string name;
    int index;
  };
  Result<> MoveLink(int link_index, const Destination& to);
  // Gives it what MoveLink took away, in this namespace. Addresses that are there are fine.
  struct LinkState {
    std::vector<LinkAddress> addresses;
    int master_index = 0;  // 0: none
    bool is_up = false;
  };
  Result<> RestoreLink(int link_index, const LinkState& state);

  // A namespace as a container needs it, in one exchange: lo and the link of that name up, the
  // address on it, the default route.
  struct EndSpec {
    std::string name;
    Ipv4Address address;
    int prefix_length;
    Ipv4Address gateway;
  };
  Result<> ConfigureEnd(const EndSpec& spec);

 private:
  explicit Netlink(NetlinkSocket socket) : socket_(std::move(socket)) {}
  Result<> Send(NetlinkBatch& batch, const std::string& what, int tolerated_errno = 0);
  Result<> Dump(NetlinkBatch (*make)(), const std::string& what,
                const NetlinkSocket::OnMessage& on_message, const std::function<void()>& restart);
  NetlinkSocket socket_;
};

// Deletes a link and returns as soon as it is gone, after 1 ms rather than 20: the kernel holds the
// deleter until an RCU grace period is over, long after the name and the addresses are free. That
// wait is left to a thread of its own, which touches nothing else and ends by itself; a process
// that exits meanwhile is gone when it has. Absent is fine. In the calling thread's namespace.
Result<> DeleteLinkPromptly(const std::string& name);

// Waits until no link of this name is left in the calling thread's namespace, woken by the kernel's
// notifications. False when the timeout came first.
Result<bool> WaitForLinkGone(const std::string& name, std::chrono::milliseconds timeout);

}  // namespace skiff::networking
