#include "runtime/supervisor/task_network.h"

#include <fcntl.h>

#include "isolation/base/clock.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"
#include "networking/eni.h"
#include "networking/resolver_files.h"

namespace skiff::runtime {
namespace {

struct ResolverTexts {
  std::string hosts;
  std::string resolv;
  std::string hostname;
};

Result<> WriteResolverFiles(const TaskPlan& plan, const ResolverTexts& texts) {
  std::string directory = plan.roots.TaskDirectory(plan.id) + "/etc";
  TRY(sys::MakeDirectories(directory, 0755));
  TRY(sys::WriteFile(AT_FDCWD, directory + "/hosts", texts.hosts, 0644));
  TRY(sys::WriteFile(AT_FDCWD, directory + "/resolv.conf", texts.resolv, 0644));
  return sys::WriteFile(AT_FDCWD, directory + "/hostname", texts.hostname, 0644);
}

Result<> SetUpAwsvpc(const TaskPlan& plan, TaskNetwork* network) {
  int64_t begin = MonotonicNanoseconds();
  if (!network->netns.valid()) network->netns = TRY(sys::MakeNetworkNamespace());
  network->steps.push_back({"make network namespace", MonotonicNanoseconds() - begin});
  network->installation = TRY(networking::Network::Open(plan.roots.data));
  networking::Attachment attached =
      TRY(network->installation->Attach(NetworkPlanOf(plan), network->netns.get()));
  network->address = attached.address.ToString();
  network->mac = attached.mac.ToString();
  network->hostname = networking::FargateHostname(attached.address);
  for (networking::StepTime& step : attached.steps) network->steps.push_back(std::move(step));
  std::string host_resolver = TRY(networking::LoadHostResolver("/"));
  return WriteResolverFiles(
      plan, {networking::HostsText(attached.address, network->hostname),
             networking::ResolvText(host_resolver), networking::HostnameText(network->hostname)});
}

Result<> SetUpNone(const TaskPlan& plan, TaskNetwork* network) {
  if (!network->netns.valid()) network->netns = TRY(sys::MakeNetworkNamespace());
  TRY(networking::SetLoopbackUp(network->netns.get()));
  network->hostname = plan.hostname.empty() ? plan.id.Short() : plan.hostname;
  return WriteResolverFiles(plan, {networking::LocalHostsText(network->hostname), "",
                                   networking::HostnameText(network->hostname)});
}

Result<> SetUpHost(const TaskPlan& plan, TaskNetwork* network) {
  network->hostname = plan.hostname;
  Result<std::string> hosts = sys::ReadFile(AT_FDCWD, "/etc/hosts");
  Result<std::string> resolv = sys::ReadFile(AT_FDCWD, "/etc/resolv.conf");
  Result<std::string> hostname = sys::ReadFile(AT_FDCWD, "/etc/hostname");
  return WriteResolverFiles(plan,
                            {std::move(hosts).ValueOr(""), std::move(resolv).ValueOr(""),
                             plan.hostname.empty() ? std::move(hostname).ValueOr("")
                                                   : networking::HostnameText(plan.hostname)});
}

}  // namespace

networking::NetworkPlan NetworkPlanOf(const TaskPlan& plan) {
  networking::NetworkPlan network;
  network.eni_id = EniIdOf(plan.id);
  network.mtu = networking::kEthernetMtu;
  for (const PublishedPortPlan& port : plan.published_ports) {
    network.ports.push_back(
        {port.host_port,
         port.protocol == Protocol::kUdp ? networking::Protocol::kUdp : networking::Protocol::kTcp,
         port.container_port});
  }
  return network;
}

Result<TaskNetwork> SetUpNetwork(const TaskPlan& plan, UniqueFd netns) {
  TaskNetwork network;
  network.netns = std::move(netns);
  Result<> done;
  switch (plan.network_mode) {
    case NetworkMode::kAwsvpc:
      done = SetUpAwsvpc(plan, &network);
      break;
    case NetworkMode::kNone:
      done = SetUpNone(plan, &network);
      break;
    case NetworkMode::kHost:
      done = SetUpHost(plan, &network);
      break;
    case NetworkMode::kBridge:
      done = Error(Code::kUnavailable, "network mode bridge is not supported");
      break;
  }
  // The namespace goes with its descriptor; lease, link and rules are undone by the caller's
  // cleanup.
  if (!done.ok()) return std::move(done).error();
  return network;
}

}  // namespace skiff::runtime
