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

EniSpec EniSpecOf(const Attachment& attachment, uint32_t mtu, int netns) {
  const Subnet& subnet = attachment.subnet;
  return {.host_interface = attachment.host_interface,
          .bridge_index = subnet.bridge_index,
          .address = attachment.address,
          .prefix_length = subnet.prefix.length(),
          .gateway = subnet.gateway,
          .mac = attachment.mac,
          .mtu = mtu,
          .netns = netns};
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

Result<> MakeLink(const EniSpec& spec, Netlink& netlink) {
  TRY(PrepareNetns(spec.netns));
  return CreateEniLink(spec, netlink);
}

Result<> Admit(const Subnet& subnet, const EniRules& rules) {
  Firewall firewall = TRY(Firewall::Open(subnet));
  return firewall.AdmitEni(rules);
}

Result<Attachment> AttachSteps(const NetworkPlan& plan, int netns) {
  std::vector<StepTime> steps;
  Netlink netlink = TRY(Netlink::Open());
  Subnet subnet =
      TRY(Timed(&steps, "subnet", [&] { return EnsureSubnet(plan.data_root, netlink); }));
  Lease lease = TRY(Timed(&steps, "lease", [&] { return TakeLease(subnet, plan.eni_id); }));
  Attachment made{.host_interface = HostInterfaceName(subnet.installation, plan.eni_id),
                  .address = lease.address,
                  .mac = lease.mac,
                  .subnet = subnet};
  EniSpec spec = EniSpecOf(made, plan.mtu, netns);
  EniRules rules = RulesOf(plan, made.host_interface, lease);
  TRY(Timed(&steps, "link", [&] { return MakeLink(spec, netlink); }));
  TRY(Timed(&steps, "address", [&] { return ConfigureEniAddress(spec); }));
  TRY(Timed(&steps, "firewall", [&] { return Admit(subnet, rules); }));
  made.steps = std::move(steps);
  return made;
}

// By the lease when there is one; else by looking for the interface's name in every element.
Result<> RemoveRules(const NetworkPlan& plan, const Subnet& subnet) {
  LeaseStore leases = TRY(OpenLeases(subnet));
  std::optional<Lease> lease = TRY(leases.Find(plan.eni_id));
  Firewall firewall = TRY(Firewall::Open(subnet));
  std::string host_interface = HostInterfaceName(subnet.installation, plan.eni_id);
  if (!lease) return firewall.RemoveInterface(host_interface);
  return firewall.RemoveEni(RulesOf(plan, host_interface, *lease));
}

Result<> RemoveLink(const NetworkPlan& plan, const Installation& installation, EniEnd end) {
  Netlink netlink = TRY(Netlink::Open());
  return DetachEni(HostInterfaceName(installation, plan.eni_id), end, netlink);
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

Result<Attachment> Attach(const NetworkPlan& plan, int netns) {
  TRY(CheckEniId(plan.eni_id));
  Result<Attachment> attached = AttachSteps(plan, netns);
  if (!attached.ok()) Detach(plan, EniEnd::kDelete);
  return std::move(attached).Context("network of " + plan.eni_id);
}

Detachment Detach(const NetworkPlan& plan, EniEnd end) {
  Detachment detachment;
  Result<Subnet> subnet = LoadSubnet(plan.data_root);
  bool has_subnet = subnet.ok();
  // Without a prefix nothing was ever attached here.
  if (!has_subnet && subnet.error().code() == Code::kNotFound) return detachment;
  if (!has_subnet) detachment.errors.push_back(subnet.error());
  Installation installation = InstallationOf(plan.data_root);
  bool is_clean = has_subnet;
  if (has_subnet)
    is_clean &= Undo(&detachment, "firewall", [&] { return RemoveRules(plan, subnet.value()); });
  is_clean &= Undo(&detachment, "link", [&] { return RemoveLink(plan, installation, end); });
  // An address something still answers to must not be handed out again: the lease stays until a
  // repeated Detach has removed the rest.
  if (is_clean)
    Undo(&detachment, "lease", [&] { return GiveLeaseBack(subnet.value(), plan.eni_id); });
  return detachment;
}

Result<> RemoveSubnet(const std::string& data_root) {
  Netlink netlink = TRY(Netlink::Open());
  Result<> bridge = RemoveBridge(data_root, netlink);
  Result<> tables = RemoveTables(InstallationOf(data_root));
  return bridge.ok() ? tables : bridge;
}

}  // namespace skiff::networking
