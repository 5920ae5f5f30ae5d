#include "runtime/control/placement.h"

#include <utility>

#include "runtime/control/keys.h"
#include "runtime/control/limits.h"

namespace skiff::runtime {

void HostUse::Add(const TaskShare& share) {
  cpu += share.cpu;
  memory += share.memory;
  enis += share.has_eni ? 1 : 0;
}

void HostUse::Subtract(const TaskShare& share) {
  cpu -= share.cpu;
  memory -= share.memory;
  enis -= share.has_eni ? 1 : 0;
}

std::optional<std::string_view> MissingResource(const HostRecord& host, const HostUse& used,
                                                const TaskShare& share) {
  if (used.cpu + share.cpu > host.cpu) return "RESOURCE:CPU";
  if (used.memory + share.memory > host.memory) return "RESOURCE:MEMORY";
  if (share.has_eni && used.enis + 1 > host.enis) return "RESOURCE:ENI";
  return std::nullopt;
}

Placement::Placement(Store& store) : store_(store) {
  watch_ = store_.WatchPrefix(keys::kActive, [this](const Store::Changes& changes) {
    std::lock_guard lock(mutex_);
    if (is_stale_) return;
    for (const RecordWrite* change : changes) changed_.push_back(change->key);
    // Nobody asked for long: reading all is then cheaper than remembering.
    if (changed_.size() > kMaxRememberedChanges) is_stale_ = true;
    if (is_stale_) changed_.clear();
  });
}

void Placement::Forget() {
  std::lock_guard lock(mutex_);
  is_stale_ = true;
  changed_.clear();
}

Result<HostUse> Placement::Use() {
  std::vector<std::string> changed;
  bool is_stale = false;
  {
    std::lock_guard lock(mutex_);
    changed.swap(changed_);
    // From here on changes are remembered again; those that the reading sees already are looked
    // at twice, which is harmless.
    std::swap(is_stale, is_stale_);
  }
  Result<> outcome = is_stale ? Rebuild() : Result<>();
  for (size_t i = 0; outcome.ok() && i < changed.size(); ++i) outcome = Update(changed[i]);
  if (outcome.ok()) return use_;
  Forget();
  return std::move(outcome).error();
}

Result<> Placement::Rebuild() {
  shares_.clear();
  use_ = {};
  RangeRequest request{.prefix = keys::kActive, .after = "", .limit = kShareBatch};
  while (true) {
    std::vector<StoredRecord> batch = TRY(store_.Range(request));
    for (const StoredRecord& record : batch) TRY(Take(record));
    if (batch.size() < request.limit) return {};
    request.after = batch.back().key;
  }
}

Result<> Placement::Update(const std::string& key) {
  std::optional<StoredRecord> record = TRY(store_.Get(key));
  Drop(key);
  if (!record) return {};
  return Take(*record);
}

Result<> Placement::Take(const StoredRecord& record) {
  Result<TaskShare> share = DecodeShare(record.value);
  if (!share.ok()) return store_.Quarantine(record.key, share.error().message());
  shares_[record.key] = share.value();
  use_.Add(share.value());
  return {};
}

void Placement::Drop(const std::string& key) {
  auto found = shares_.find(key);
  if (found == shares_.end()) return;
  use_.Subtract(found->second);
  shares_.erase(found);
}

}  // namespace skiff::runtime
