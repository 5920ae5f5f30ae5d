// An ENI: the network interface of one task. A veth pair whose far end is eth0 inside the task's
// network namespace and whose near end is a port of the subnet's bridge.
//
// Everything it needs is in the spec; nothing is remembered. The netns descriptor is borrowed.
// AttachEni and ReadyNetns enter that namespace for a moment: single-threaded callers.
#pragma once

#include <cstdint>
#include <string>

#include "isolation/base/result.h"
#include "networking/address.h"
#include "networking/netlink.h"

namespace skiff::networking {

inline constexpr const char* kEniName = "eth0";

struct EniSpec {
  std::string host_interface;  // HostInterfaceName() of subnet.h
  int bridge_index;
  Ipv4Address address;
  int prefix_length;
  Ipv4Address gateway;
  MacAddress mac;
  uint32_t mtu;
  int netns;  // borrowed
  // For tasks with published ports, which may call them by the host's address: where br_netfilter
  // is active, translated packets go back to the bridge port they came from.
  bool is_hairpin;
};

// The link with both ends. When it fails no link is left, unless it was there before (kConflict).
Result<> CreateEniLink(const EniSpec& spec, Netlink& netlink);

// Inside the namespace: no IPv6 on new links (to be called before the link is made), and what
// Fargate allows every task: unprivileged ping, and ports below 1024 for every user.
Result<> PrepareNetns(int netns);

// lo up, the address, the default route.
Result<> ConfigureEniAddress(const EniSpec& spec);

// The three above in order.
Result<> AttachEni(const EniSpec& spec, Netlink& netlink);

// Afterwards no link of that name exists; absent is fine. Takes 1 ms, whether the namespace lives
// on or is being destroyed (DeleteLinkPromptly of netlink.h).
Result<> DetachEni(const std::string& host_interface);

// For a namespace without any interface (networkMode none): lo up, nothing else.
Result<> SetLoopbackUp(int netns);

}  // namespace skiff::networking
