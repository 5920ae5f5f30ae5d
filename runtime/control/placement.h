// Whether one more task fits on this host: what the host has (HostRecord) less what its active
// tasks take (active/). The sum is kept in memory and follows the store, so a question costs the
// same with a thousand tasks as with none.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/control/records.h"
#include "runtime/control/task_record.h"
#include "runtime/store/store.h"

namespace skiff::runtime {

// What tasks take together.
struct HostUse {
  int64_t cpu = 0;
  int64_t memory = 0;
  int64_t enis = 0;
  void Add(const TaskShare& share);
  void Subtract(const TaskShare& share);
  bool operator==(const HostUse&) const = default;
};

// The reason RunTask gives in `failures`: "RESOURCE:CPU", "RESOURCE:MEMORY", "RESOURCE:ENI";
// nullopt: the task fits.
std::optional<std::string_view> MissingResource(const HostRecord& host, const HostUse& used,
                                                const TaskShare& share);

// The sum over active/. `store` outlives it. Use is asked by one thread; commits come from any.
class Placement {
 public:
  explicit Placement(Store& store);

  // As of the last commit. A share that cannot be read is quarantined and counts nothing.
  Result<HostUse> Use();
  // What was summed is no longer true (Store::Clear calls no watcher): the next Use reads anew.
  void Forget();

 private:
  Result<> Rebuild();
  Result<> Update(const std::string& key);
  Result<> Take(const StoredRecord& record);
  void Drop(const std::string& key);

  Store& store_;
  std::map<std::string, TaskShare> shares_;  // by key
  HostUse use_;
  std::mutex mutex_;                     // guards what follows
  std::vector<std::string> changed_;     // keys not looked at yet
  bool is_stale_ = true;                 // shares_ must be read from the start
  std::unique_ptr<Store::Watch> watch_;  // last: ends first
};

}  // namespace skiff::runtime
