#include "runtime/agent/host_record.h"

#include <unistd.h>

#include <algorithm>

#include "isolation/base/clock.h"
#include "isolation/base/text.h"
#include "isolation/sys/process.h"
#include "networking/limits.h"
#include "networking/subnet.h"
#include "runtime/agent/limits.h"
#include "runtime/control/keys.h"
#include "runtime/model/supported.h"

namespace skiff::runtime {
namespace {

std::string OwnHostname() {
  char name[256] = "";
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "";
}

// One a bridge port, and one an address.
int64_t EnisOf(const std::string& data_root) {
  int64_t ports = networking::kMaxBridgePorts;
  Result<networking::Subnet> subnet = networking::LoadSubnet(data_root);
  if (!subnet.ok()) return ports;
  int64_t addresses = static_cast<int64_t>(subnet.value().prefix.size()) -
                      networking::kReservedHead - networking::kReservedTail;
  return std::min(ports, addresses);
}

Result<HostRecord> KnownHost(Store& store) {
  std::optional<StoredRecord> stored = TRY(store.Get(keys::kHost));
  if (stored) {
    Result<HostRecord> known = DecodeHost(stored->value);
    if (known.ok()) return known;
    TRY(store.Quarantine(keys::kHost, known.error().message()));
  }
  HostRecord made;
  made.id = RandomHex(16);
  made.registered_at = WallNanoseconds();
  return made;
}

}  // namespace

Bytes MemoryForTasks(Bytes total) {
  uint64_t reserve = std::min(kMaxHostReserve.count(), total.count() / kHostReservePart);
  return Bytes(total.count() - reserve);
}

Result<> WriteHostRecord(Store& store, const std::string& data_root, const HostFacts& facts) {
  HostRecord host = TRY(KnownHost(store));
  host.hostname = OwnHostname();
  host.cpu = static_cast<int64_t>(facts.cpus) * 1024;
  host.memory = static_cast<int64_t>(MemoryForTasks(facts.memory).mib());
  host.enis = EnisOf(data_root);
  host.architecture = kHostCpuArchitecture;
  host.kernel = sys::KernelRelease();
  host.version = SKIFF_VERSION;
  TRY(store.Commit({{keys::kHost, Encode(host), std::nullopt}}, Durability::kAccepted));
  return {};
}

}  // namespace skiff::runtime
