// ECS's operations on container instances and their attributes. There is one instance, this host:
// the default cluster always has it, another cluster while a task of the launch type EC2 is active
// there.
//
// One thread: the server's.
#pragma once

#include <string>
#include <vector>

#include "runtime/api/operation.h"
#include "runtime/control/placement.h"
#include "runtime/control/records.h"
#include "runtime/control/settings.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

class EcsHost {
 public:
  // `store` outlives it.
  EcsHost(Store& store, const ControlSettings& settings)
      : store_(store), settings_(settings), placement_(store) {}
  // The table's operations must not outlive this.
  void AddTo(OperationTable& table);
  // The store was emptied.
  void Forget() { placement_.Forget(); }

 private:
  // The host as an instance of one cluster.
  struct Membership {
    std::string cluster;
    HostRecord host;
    bool is_member = false;
    int running = 0;
    int pending = 0;
  };

  Result<std::string> ListContainerInstances(const Call& call);
  Result<std::string> DescribeContainerInstances(const Call& call);
  Result<std::string> PutAttributes(const Call& call);
  Result<std::string> DeleteAttributes(const Call& call);
  Result<std::string> ListAttributes(const Call& call);

  Result<Membership> MembershipIn(const JsonCursor& input);
  Result<std::vector<KeyValue>> CustomAttributes(const Membership& membership);
  Result<std::string> InstanceText(const Membership& membership, bool with_tags, bool with_health);

  Store& store_;
  const ControlSettings settings_;
  Placement placement_;
};

}  // namespace skiff::runtime::api
