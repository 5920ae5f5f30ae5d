// ECS's operations on what tasks are made from: clusters, task definitions and everybody's tags.
//
// They only write and read the store. One thread: the server's.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/api/operation.h"
#include "runtime/control/records.h"
#include "runtime/control/settings.h"
#include "runtime/store/store.h"

namespace skiff::runtime::api {

class EcsRegistry {
 public:
  // `store` outlives it.
  EcsRegistry(Store& store, const ControlSettings& settings) : store_(store), settings_(settings) {}

  // The table's operations must not outlive this.
  void AddTo(OperationTable& table);

  // Takes away the task definitions whose deletion was asked for an hour ago and that no active
  // task uses. Any thread.
  Result<> RemoveDeletedDefinitions(int64_t now_wall_ns);

 private:
  struct StoredCluster {
    ClusterRecord record;
    uint64_t version = 0;
  };
  struct StoredDefinition {
    TaskDefinitionRecord record;
    uint64_t version = 0;
  };

  Result<std::string> CreateCluster(const Call& call);
  Result<std::string> DescribeClusters(const Call& call);
  Result<std::string> ListClusters(const Call& call);
  Result<std::string> DeleteCluster(const Call& call);
  Result<std::string> UpdateCluster(const Call& call);
  Result<std::string> UpdateClusterSettings(const Call& call);
  Result<std::string> PutClusterCapacityProviders(const Call& call);
  Result<std::string> DescribeCapacityProviders(const Call& call);
  // Commits what `edit` makes of the cluster that the input names; answers with the cluster.
  Result<std::string> ChangeCluster(const Call& call,
                                    const std::function<Result<>(ClusterRecord&)>& edit);
  Result<std::optional<StoredCluster>> FindCluster(const std::string& name);

  Result<std::string> RegisterTaskDefinition(const Call& call);
  Result<std::string> DescribeTaskDefinition(const Call& call);
  Result<std::string> DeregisterTaskDefinition(const Call& call);
  Result<std::string> DeleteTaskDefinitions(const Call& call);
  Result<std::string> ListTaskDefinitions(const Call& call);
  Result<std::string> ListTaskDefinitionFamilies(const Call& call);
  // ClientException with the text `missing` when there is none.
  Result<StoredDefinition> FindRevision(const std::string& reference, std::string_view missing);
  Result<std::vector<TaskDefinitionRecord>> AllOf(const std::string& family);

  Result<std::string> TagResource(const Call& call);
  Result<std::string> UntagResource(const Call& call);
  Result<std::string> ListTagsForResource(const Call& call);
  Result<std::vector<Tag>> EditTags(const std::string& arn,
                                    const std::function<Result<>(std::vector<Tag>&)>& edit);

  std::vector<std::string> ClusterArnOf(const Call& call, std::string_view member) const;

  Store& store_;
  const ControlSettings settings_;
};

// What every reading of input lists needs: a page's size and where it begins.
struct PageRequest {
  size_t size = 100;
  std::string after;  // the last name of the page before
};
// `maxResults` of 1 to 100 and `nextToken` as NextToken made it; InvalidParameterException.
Result<PageRequest> ReadPage(const JsonCursor& input);
std::string NextToken(std::string_view last_name);

// `tags` of the input, checked as ECS does.
Result<std::vector<Tag>> ReadTags(const JsonCursor& input);

}  // namespace skiff::runtime::api
