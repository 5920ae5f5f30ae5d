// A task's network, whole: what the supervisor calls at start and at the end.
//
// Attach makes, in order: subnet (bridge), lease, namespace settings and link, addresses, firewall
// elements. Detach undoes them in reverse. Both may be repeated, by another process too: every name
// derives from the data root and the ENI id, and the lease is taken first and given back last, so
// that nobody else gets the address while anything of it is left. Single-threaded callers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "networking/address.h"
#include "networking/eni.h"
#include "networking/firewall.h"
#include "networking/subnet.h"

namespace skiff::networking {

inline constexpr uint32_t kEthernetMtu = 1500;

struct NetworkPlan {
  std::string data_root;
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

// `netns` is borrowed. When a step fails, what the others made is undone and the first cause
// returned.
Result<Attachment> Attach(const NetworkPlan& plan, int netns);

struct Detachment {
  std::vector<StepTime> steps;
  std::vector<Error> errors;  // every step runs, whatever the others did
};
// kNetnsGone (after closing the last descriptor of the namespace) is the quick way; see eni.h.
Detachment Detach(const NetworkPlan& plan, EniEnd end);

// Removes bridge and tables of an installation: for uninstalling and tests. Its tasks are cut off.
Result<> RemoveSubnet(const std::string& data_root);

}  // namespace skiff::networking
