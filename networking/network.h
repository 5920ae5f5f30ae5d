// A task's network, whole: what the supervisor calls at start and at the end.
//
// Attach makes, in order: subnet (bridge), lease, namespace settings and link, addresses, firewall
// elements. Detach undoes them in reverse. Both may be repeated, by another process too: every name
// derives from the data root and the ENI id, and the lease is taken first and given back last, so
// that nobody else gets the address while anything of it is left. Single-threaded callers.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "isolation/base/result.h"
#include "networking/address.h"
#include "networking/eni.h"
#include "networking/firewall.h"
#include "networking/netlink.h"
#include "networking/nftables.h"
#include "networking/subnet.h"

namespace skiff::networking {

inline constexpr uint32_t kEthernetMtu = 1500;

struct NetworkPlan {
  std::string eni_id;  // names the lease and the interface; see CheckEniId
  std::vector<PublishedPort> ports;
  uint32_t mtu;  // of the ENI; kEthernetMtu unless there is a reason
};

// A step carried out, or tried, and how long it took.
struct StepTime {
  std::string name;
  int64_t nanoseconds = 0;
};

struct Attachment {
  std::string host_interface;
  Ipv4Address address;
  MacAddress mac;
  Subnet subnet;
  std::vector<StepTime> steps;
};

struct Detachment {
  std::vector<StepTime> steps;
  std::vector<Error> errors;  // every step runs, whatever the others did
};

// The network of one installation, as one process works on it. Destroying it may wait some 10 ms
// for the kernel (nftables.h): keep it until the last event has been reported.
class Network {
 public:
  // Makes nothing yet. In the network namespace of the host.
  static Result<Network> Open(std::string data_root);

  // `netns` is borrowed. When a step fails, what the others made is undone and the first cause
  // returned.
  Result<Attachment> Attach(const NetworkPlan& plan, int netns);
  // Works on what is there: after a crash, in another process, twice. The namespace may live on.
  Detachment Detach(const NetworkPlan& plan);

  // "eni_addresses 172.31.0.4", ...: see Firewall::ListElements. Empty before the first Attach.
  Result<std::vector<std::string>> ListElements();

  // Removes the bridge and the tables: for uninstalling and tests. Running tasks are cut off.
  Result<> RemoveSubnet();

 private:
  Network(std::string data_root, Netlink netlink, Nftables nftables)
      : data_root_(std::move(data_root)),
        netlink_(std::move(netlink)),
        nftables_(std::move(nftables)) {}
  Result<Attachment> AttachSteps(const NetworkPlan& plan, int netns);
  Result<> RemoveRules(const NetworkPlan& plan, const Subnet& subnet);
  std::string data_root_;
  Netlink netlink_;
  Nftables nftables_;
};

}  // namespace skiff::networking
