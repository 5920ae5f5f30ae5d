#include "networking/network.h"

#include <optional>
#include <utility>

#include "isolation/base/clock.h"
#include "networking/lease_store.h"
#include "networking/limits.h"

namespace skiff::networking {
namespace {

// Runs a step and notes how long it took.
template <typename Function>
auto Timed(std::vector<StepTime>* steps, const char* name, Function function)
    -> decltype(function()) {
  int64_t start = MonotonicNanoseconds();
  auto result = function();
  steps->push_back({name, MonotonicNanoseconds() - start});
  return std::move(result).Context(name);
}

EniSpec EniSpecOf(const Attachment& attachment, const NetworkPlan& plan, int netns) {
  const Subnet& subnet = attachment.subnet;
  return {.host_interface = attachment.host_interface,
          .bridge_index = subnet.bridge_index,
          .address = attachment.address,
          .prefix_length = subnet.prefix.length(),
          .gateway = subnet.gateway,
          .mac = attachment.mac,
          .mtu = plan.mtu,
          .netns = netns,
          .is_hairpin = !plan.ports.empty()};
}

EniRules RulesOf(const NetworkPlan& plan, const std::string& host_interface, const Lease& lease) {
  return {.eni_id = plan.eni_id,
          .host_interface = host_interface,
          .address = lease.address,
          .mac = lease.mac,
          .ports = plan.ports};
}

Result<LeaseStore> OpenLeases(const Subnet& subnet) {
  std::string boot_id = TRY(BootId());
  return LeaseStore::Open(subnet.installation.data_root, subnet.prefix, std::move(boot_id));
}

Result<Lease> TakeLease(const Subnet& subnet, const std::string& eni_id) {
  LeaseStore leases = TRY(OpenLeases(subnet));
  return leases.Allocate(eni_id);
}

Result<> GiveLeaseBack(const Subnet& subnet, const std::string& eni_id) {
  LeaseStore leases = TRY(OpenLeases(subnet));
  return leases.Release(eni_id);
}

// Runs a step of a teardown: its error is kept, the next step runs all the same.
template <typename Function>
bool Undo(Detachment* detachment, const char* name, Function function) {
  Result<> done = Timed(&detachment->steps, name, function);
  bool is_fine = done.ok();
  if (!is_fine) detachment->errors.push_back(std::move(done).error());
  return is_fine;
}

}  // namespace

Result<Network> Network::Open(std::string data_root) {
  Netlink netlink = TRY(Netlink::Open());
  Nftables nftables = TRY(Nftables::Open());
  return Network(std::move(data_root), std::move(netlink), std::move(nftables));
}

Result<Attachment> Network::AttachSteps(const NetworkPlan& plan, int netns) {
  std::vector<StepTime> steps;
  Subnet subnet = TRY(Timed(&steps, "subnet", [&] { return EnsureSubnet(data_root_, netlink_); }));
  Lease lease = TRY(Timed(&steps, "lease", [&] { return TakeLease(subnet, plan.eni_id); }));
  Attachment made{.host_interface = HostInterfaceName(subnet.installation, plan.eni_id),
                  .address = lease.address,
                  .mac = lease.mac,
                  .subnet = subnet};
  EniSpec spec = EniSpecOf(made, plan, netns);
  EniRules rules = RulesOf(plan, made.host_interface, lease);
  TRY(Timed(&steps, "namespace", [&] { return PrepareNetns(netns); }));
  TRY(Timed(&steps, "link", [&] { return CreateEniLink(spec, netlink_); }));
  TRY(Timed(&steps, "address", [&] { return ConfigureEniAddress(spec); }));
  TRY(Timed(&steps, "firewall", [&] { return Firewall(subnet, nftables_).AdmitEni(rules); }));
  made.steps = std::move(steps);
  return made;
}

Result<Attachment> Network::Attach(const NetworkPlan& plan, int netns) {
  TRY(CheckEniId(plan.eni_id));
  Result<Attachment> attached = AttachSteps(plan, netns);
  if (!attached.ok()) Detach(plan);
  return std::move(attached).Context("network of " + plan.eni_id);
}

// By the lease when there is one; else by looking for the interface's name in every element.
Result<> Network::RemoveRules(const NetworkPlan& plan, const Subnet& subnet) {
  LeaseStore leases = TRY(OpenLeases(subnet));
  std::optional<Lease> lease = TRY(leases.Find(plan.eni_id));
  Firewall firewall(subnet, nftables_);
  std::string host_interface = HostInterfaceName(subnet.installation, plan.eni_id);
  if (!lease) return firewall.RemoveInterface(host_interface);
  return firewall.RemoveEni(RulesOf(plan, host_interface, *lease));
}

Detachment Network::Detach(const NetworkPlan& plan) {
  Detachment detachment;
  Result<Subnet> subnet = LoadSubnet(data_root_);
  bool has_subnet = subnet.ok();
  // Without a prefix nothing was ever attached here.
  if (!has_subnet && subnet.error().code() == Code::kNotFound) return detachment;
  if (!has_subnet) detachment.errors.push_back(subnet.error());
  bool is_clean = has_subnet;
  if (has_subnet)
    is_clean &= Undo(&detachment, "firewall", [&] { return RemoveRules(plan, subnet.value()); });
  std::string host_interface = HostInterfaceName(InstallationOf(data_root_), plan.eni_id);
  is_clean &= Undo(&detachment, "link", [&] { return DetachEni(host_interface); });
  // An address something still answers to must not be handed out again: the lease stays until a
  // repeated Detach has removed the rest.
  if (is_clean)
    Undo(&detachment, "lease", [&] { return GiveLeaseBack(subnet.value(), plan.eni_id); });
  return detachment;
}

Result<std::vector<std::string>> Network::ListElements() {
  Result<Subnet> subnet = LoadSubnet(data_root_);
  bool is_unused = !subnet.ok() && subnet.error().code() == Code::kNotFound;
  if (is_unused) return std::vector<std::string>();
  Subnet loaded = TRY(std::move(subnet));
  return Firewall(loaded, nftables_).ListElements();
}

Result<> Network::RemoveSubnet() {
  Result<> bridge = RemoveBridge(data_root_, netlink_);
  Result<> tables = RemoveTables(InstallationOf(data_root_), nftables_);
  return bridge.ok() ? tables : bridge;
}

}  // namespace skiff::networking
